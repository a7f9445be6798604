"""What kind of thing a catalogue entry is, so that siblings can be found: a chair's siblings are chairs."""

import re

_FAMILIES: tuple[tuple[str, str], ...] = (
    ("lamp", "lamp light lights lamppost lantern flashlight candle"),
    ("stool", "stool puff ottoman"),
    ("fan", "fan hood"),
    ("game", "football game flipper chessboard dart puzzle rubik's card bat racket ball basketball trampoline"),
    ("cloth", "clothes suit towel curtain blind bathmat doormat rug carpet trousers short skirt dress jacket hanger"),
    ("bench", "bench bank seesaw"),
    ("chair", "chair armchair wheelchair seat lounge hammock"),
    ("sofa", "sofa couch futon"),
    ("bed", "bed crib mattress tatami"),
    ("cabinet", "cabinet wardrobe cupboard bookcase shelves dresser chest locker vanity stand island cabinets"),
    ("table", "table desk workbench trestles"),
    ("plant", "plant flower flowers orchids cactus spathiphyllum yucca lily tulips bamboo bonsai ficus bush"),
    ("tree", "tree acacia hedge pine beech cypress maple poplar blossom"),
    ("vehicle", "car sport truck sedan beetle focus leon scenic peugeot bus suv chevrolet van lift mower"),
    ("cycle", "bike bicycle motorbike scooter tricycle stroller wheelbarrow yamaha skateboard"),
    ("plug", "plug switch socket outlet detector intercom bell speech bell thermometer cctv"),
    (
        "appliance",
        "oven stove cooker fridge refrigerator microwave machine dryer freezer boiler heater furnace cooktop",
    ),
    ("kitchen machine", "mixer blender brewer maker toaster press fryer squeezer device scale kettle"),
    ("basin", "washbasin basin sink lavatory bidet urinal toilets bath bathtub jacuzzi potty shower fountain"),
    ("food", "butter bread cake hamburger hot fries steak chicken apples fruits salad sushi sugar"),
    ("vessel", "cup mug glass bowl vase jar pottery teapot creamer bottle milk flacon pot plate tray ashtray hashtray"),
    ("cutlery", "fork knife spoon cutlery tool tools utensils pan"),
    ("wearable", "shoes sneakers mocassin slippers bootie cap hat helmet glove watch glasses sunglasses"),
    ("bag", "backpack handbag briefcase suitcase basket sleeping"),
    ("box", "box crate barrel container trunck bin trashcan trash dustbin pallet gift safe penbox tower"),
    ("screen", "tv screen imac laptop ibook tablet phone iphone mobile keyboard projector"),
    ("electronics", "radio stereo mp3 speaker amplifier dvd playstation joystick remote headphones camera printer"),
    (
        "hand tool",
        "saw drill hammer screwdriver grinder shovel broom brush scissors ruler stapler pencil marker pliers",
    ),
    ("radiator", "radiator conditioning fireplace"),
    ("figure", "horse dog cat bulldog rabbit deer teddy doll snowman toy biplane xylophone"),
    ("instrument", "piano guitar clock"),
    ("fence", "railing fence barnum tent hut house"),
    ("rock", "rock logs"),
)
_FAMILY = {word: name for name, words in _FAMILIES for word in words.split()}


def family(title: str, department: str) -> str:
    """Return the kind of thing that a catalogue entry is.

    Args:
        title: Its name in the catalogue, English.
        department: Where the catalogue files it; the answer when no word of the title is known.

    Returns:
        Lower-case name of the family.
    """
    things = title.lower().replace("hot dog", "hot").split(" with ")[0]
    # An English name ends with what the thing is: a desk lamp is a lamp, a dog house a house.
    known = [_FAMILY[word] for word in re.findall(r"[a-z0-9']+", things) if word in _FAMILY]
    return known[-1] if known else department.lower()
