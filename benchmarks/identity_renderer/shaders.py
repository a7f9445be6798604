"""The shading of the studio: a key light with soft shadows, a sky over a ground, and gloss."""

VERTEX = """#version 330 core
layout(location = 0) in vec3 position;
layout(location = 1) in vec3 normal;
layout(location = 2) in vec2 uv;
uniform mat4 model;
uniform mat4 clip;
uniform mat4 light_clip;
out vec3 world;
out vec3 direction;
out vec2 where;
out vec4 lit_from;
void main() {
    vec4 placed = model * vec4(position, 1.0);
    world = placed.xyz;
    direction = mat3(model) * normal;
    where = uv;
    lit_from = light_clip * placed;
    gl_Position = clip * placed;
}
"""

# The surface is seen from both sides: archives hold faces of either winding, so the normal is turned to the camera.
FRAGMENT = """#version 330 core
in vec3 world;
in vec3 direction;
in vec2 where;
in vec4 lit_from;
uniform vec3 eye;
uniform vec3 colour;
uniform float gloss;
uniform int textured;
uniform int silhouette;
uniform sampler2D surface;
uniform sampler2D shadows;
uniform vec3 key_towards;
uniform vec3 key;
uniform vec3 sky;
uniform vec3 ground;
out vec4 seen;

float reached(float facing) {
    // A slanted surface covers many depths within one pixel of the shadow map.
    float bias = mix(0.02, 0.004, facing);
    vec3 at = lit_from.xyz / lit_from.w * 0.5 + 0.5;
    if (any(lessThan(at, vec3(0.0))) || any(greaterThan(at, vec3(1.0)))) return 1.0;
    float open = 0.0;
    for (int x = -1; x <= 1; ++x)
        for (int y = -1; y <= 1; ++y)
            open += at.z - bias < texture(shadows, at.xy + vec2(x, y) * 1.3 / 512.0).r ? 1.0 : 0.0;
    return open / 9.0;
}

void main() {
    if (silhouette == 1) { seen = vec4(1.0); return; }
    vec3 view = normalize(eye - world);
    vec3 n = dot(direction, direction) > 0.0 ? normalize(direction) : view;
    if (dot(n, view) < 0.0) n = -n;
    vec3 base = pow(colour, vec3(2.2));
    if (textured == 1) base *= pow(texture(surface, where).rgb, vec3(2.2));
    float facing = max(dot(n, key_towards), 0.0);
    float open = facing > 0.0 ? reached(facing) : 0.0;
    vec3 around = mix(ground, sky, 0.5 + 0.5 * n.y);
    // Near the ground less of the sky is seen.
    around *= mix(0.62, 1.0, smoothstep(-0.05, 0.3, world.y));
    vec3 half_way = normalize(view + key_towards);
    float power = exp2(2.0 + 8.0 * gloss);
    float spot = pow(max(dot(n, half_way), 0.0), power) * (power + 8.0) / 40.0 * facing;
    vec3 mirrored = reflect(-view, n);
    float fresnel = 0.04 + 0.5 * gloss * pow(1.0 - max(dot(n, view), 0.0), 4.0);
    vec3 reflected = mix(ground, sky * 1.6, smoothstep(-0.2, 0.5, mirrored.y)) * fresnel * smoothstep(0.1, 0.7, gloss);
    vec3 light = base * (around + key * facing * open) + key * open * spot * (0.02 + 0.22 * gloss) + reflected;
    // A film's shoulder: highlights end softly instead of being cut.
    light = mix(light, 1.0 - exp(-(light - 0.6) / 0.4) * 0.4, step(0.6, light));
    seen = vec4(pow(clamp(light, 0.0, 1.0), vec3(1.0 / 2.2)), 1.0);
}
"""
