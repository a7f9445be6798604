/* Counts the changes that a process makes below one folder, and kills it at a chosen one.

   Loaded before libc (LD_PRELOAD), so it sees Python's calls and those of native libraries alike: making, writing,
   lengthening, renaming, linking and removing files and folders, and forcing them to disk. A write that is chosen is
   done by half first, so a torn file is among what a process may leave.

   CHANGES_BELOW  folder, absolute
   CHANGES_COUNT  file of at least 8 bytes that the count is kept in
   CHANGES_LAST   number of the change that is not made any more; 0 or nothing: count only
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST_FILES 65536
#define REAL(name) ((__typeof__(&name))real(#name))

static const char *below;
static size_t below_length;
static _Atomic long *count;
static long last;
static _Atomic char ours[MOST_FILES]; /* open files below the folder */

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("CHANGES_BELOW"), *kept = getenv("CHANGES_COUNT"), *chosen = getenv("CHANGES_LAST");
    if (!folder || !kept) return;
    int file = (int)syscall(SYS_openat, AT_FDCWD, kept, O_RDWR | O_CLOEXEC, 0);
    if (file < 0) return;
    void *map = mmap(NULL, sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    syscall(SYS_close, file);
    if (map == MAP_FAILED) return;
    count = map;
    last = chosen ? atol(chosen) : 0;
    below_length = strlen(folder);
    below = folder;
}

static int is_below(int folder, const char *path) {
    char whole[PATH_MAX], link[64];
    if (!below || !path) return 0;
    if (path[0] != '/') {
        snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
        ssize_t length = readlink(link, whole, sizeof whole - 1);
        if (length < 0) return 0;
        snprintf(whole + length, sizeof whole - length, "/%s", path);
        path = whole;
    }
    return !strncmp(path, below, below_length) && (path[below_length] == '/' || !path[below_length]);
}

static int is_ours(int file) { return file >= 0 && file < MOST_FILES && ours[file]; }

/* Count a change; true if it is the one to die at. */
static int counted(void) { return count && atomic_fetch_add(count, 1) + 1 == last; }

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static void change(int happens) {
    int kept = errno;
    if (happens && counted()) die();
    errno = kept;
}

static int opened(int file, int folder, const char *path, int flags) {
    if (file >= 0 && file < MOST_FILES) ours[file] = (flags & O_ACCMODE) != O_RDONLY && is_below(folder, path);
    return file;
}

#define OPENING(flags) ((flags) & (O_CREAT | O_TRUNC))
#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *path, int flags, ...) {
    MODE(flags) change(OPENING(flags) && is_below(AT_FDCWD, path));
    return opened(REAL(open)(path, flags, mode), AT_FDCWD, path, flags);
}
int open64(const char *path, int flags, ...) {
    MODE(flags) change(OPENING(flags) && is_below(AT_FDCWD, path));
    return opened(REAL(open64)(path, flags, mode), AT_FDCWD, path, flags);
}
int openat(int folder, const char *path, int flags, ...) {
    MODE(flags) change(OPENING(flags) && is_below(folder, path));
    return opened(REAL(openat)(folder, path, flags, mode), folder, path, flags);
}
int openat64(int folder, const char *path, int flags, ...) {
    MODE(flags) change(OPENING(flags) && is_below(folder, path));
    return opened(REAL(openat64)(folder, path, flags, mode), folder, path, flags);
}
FILE *fopen(const char *path, const char *how) {
    change(how[0] != 'r' && is_below(AT_FDCWD, path));
    return REAL(fopen)(path, how);
}
FILE *fopen64(const char *path, const char *how) {
    change(how[0] != 'r' && is_below(AT_FDCWD, path));
    return REAL(fopen64)(path, how);
}
int close(int file) {
    if (file >= 0 && file < MOST_FILES) ours[file] = 0;
    return REAL(close)(file);
}

ssize_t write(int file, const void *data, size_t size) {
    if (is_ours(file) && counted()) { REAL(write)(file, data, size / 2); die(); }
    return REAL(write)(file, data, size);
}
ssize_t pwrite(int file, const void *data, size_t size, off_t at) {
    if (is_ours(file) && counted()) { REAL(pwrite)(file, data, size / 2, at); die(); }
    return REAL(pwrite)(file, data, size, at);
}
ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) {
    if (is_ours(file) && counted()) { REAL(pwrite64)(file, data, size / 2, at); die(); }
    return REAL(pwrite64)(file, data, size, at);
}
ssize_t writev(int file, const struct iovec *parts, int number) {
    if (is_ours(file) && counted()) { REAL(writev)(file, parts, number / 2); die(); }
    return REAL(writev)(file, parts, number);
}

#define OF_FILE(name, arguments, call) int name arguments { change(is_ours(file)); return REAL(name) call; }
OF_FILE(fsync, (int file), (file))
OF_FILE(fdatasync, (int file), (file))
OF_FILE(ftruncate, (int file, off_t size), (file, size))
OF_FILE(ftruncate64, (int file, off64_t size), (file, size))

#define OF_PATH(name, folder, arguments, call) \
    int name arguments { change(is_below(folder, path)); return REAL(name) call; }
OF_PATH(mkdir, AT_FDCWD, (const char *path, mode_t mode), (path, mode))
OF_PATH(mkdirat, folder, (int folder, const char *path, mode_t mode), (folder, path, mode))
OF_PATH(rmdir, AT_FDCWD, (const char *path), (path))
OF_PATH(unlink, AT_FDCWD, (const char *path), (path))
OF_PATH(unlinkat, folder, (int folder, const char *path, int flags), (folder, path, flags))
OF_PATH(rename, AT_FDCWD, (const char *path, const char *to), (path, to))
OF_PATH(renameat, folder, (int folder, const char *path, int other, const char *to), (folder, path, other, to))
OF_PATH(renameat2, folder, (int folder, const char *path, int other, const char *to, unsigned flags),
        (folder, path, other, to, flags))
OF_PATH(link, AT_FDCWD, (const char *path, const char *to), (path, to))
OF_PATH(linkat, folder, (int folder, const char *path, int other, const char *to, int flags),
        (folder, path, other, to, flags))
