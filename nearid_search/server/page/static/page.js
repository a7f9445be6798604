// Starts what a page has use for; every module looks for its own elements.
import { showKept } from "./telling.js";
import { keepAuthor } from "./author.js";
import { offerNames } from "./names.js";
import { takePictures } from "./pictures.js";
import { sendForms } from "./forms.js";
import { askOnDrop } from "./asking.js";
import { teach } from "./teaching.js";
import { enrol } from "./enrolling.js";
import { choosePictures } from "./choosing.js";
import { awaitQueue } from "./looking.js";
import { review } from "./reviewing.js";

showKept();
keepAuthor();
offerNames();
takePictures();
sendForms();
askOnDrop();
teach();
enrol();
choosePictures();
review();
awaitQueue(review);
