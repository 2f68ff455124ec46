"""The closed set of facts that the micro-world is about, as plain tables.

About 600 words. Every other file of the world derives from these tables, so adding a fact here
adds inputs, answers and training text at once. All values are single words unless noted, in the
spelling that an answer must have; countries, languages, days, months and names are capitalised.
"""

from __future__ import annotations

COUNTRIES: dict[str, tuple[str, str, str]] = {
    "France": ("Paris", "Europe", "French"),
    "Germany": ("Berlin", "Europe", "German"),
    "Italy": ("Rome", "Europe", "Italian"),
    "Spain": ("Madrid", "Europe", "Spanish"),
    "Poland": ("Warsaw", "Europe", "Polish"),
    "Greece": ("Athens", "Europe", "Greek"),
    "Sweden": ("Stockholm", "Europe", "Swedish"),
    "Norway": ("Oslo", "Europe", "Norwegian"),
    "Portugal": ("Lisbon", "Europe", "Portuguese"),
    "Russia": ("Moscow", "Europe", "Russian"),
    "Japan": ("Tokyo", "Asia", "Japanese"),
    "China": ("Beijing", "Asia", "Chinese"),
    "Thailand": ("Bangkok", "Asia", "Thai"),
    "Turkey": ("Ankara", "Asia", "Turkish"),
    "Iran": ("Tehran", "Asia", "Persian"),
    "Vietnam": ("Hanoi", "Asia", "Vietnamese"),
    "Egypt": ("Cairo", "Africa", "Arabic"),
    "Kenya": ("Nairobi", "Africa", "Swahili"),
    "Ghana": ("Accra", "Africa", "English"),
    "Brazil": ("Brasilia", "America", "Portuguese"),
    "Peru": ("Lima", "America", "Spanish"),
    "Cuba": ("Havana", "America", "Spanish"),
}
"""country: (capital, continent, language)."""

ANIMALS: dict[str, tuple[str, str, str, str, bool, str, str]] = {
    "dog": ("mammal", "four", "house", "meat", False, "puppy", "bark"),
    "cat": ("mammal", "four", "house", "fish", False, "kitten", "meow"),
    "cow": ("mammal", "four", "farm", "grass", False, "calf", "moo"),
    "horse": ("mammal", "four", "farm", "grass", False, "foal", "neigh"),
    "sheep": ("mammal", "four", "farm", "grass", False, "lamb", "baa"),
    "goat": ("mammal", "four", "farm", "grass", False, "kid", "bleat"),
    "pig": ("mammal", "four", "farm", "corn", False, "piglet", "oink"),
    "donkey": ("mammal", "four", "farm", "grass", False, "foal", "bray"),
    "rabbit": ("mammal", "four", "field", "carrots", False, "bunny", "squeak"),
    "mouse": ("mammal", "four", "field", "cheese", False, "pup", "squeak"),
    "lion": ("mammal", "four", "savanna", "meat", False, "cub", "roar"),
    "tiger": ("mammal", "four", "jungle", "meat", False, "cub", "roar"),
    "bear": ("mammal", "four", "forest", "honey", False, "cub", "growl"),
    "wolf": ("mammal", "four", "forest", "meat", False, "pup", "howl"),
    "fox": ("mammal", "four", "forest", "mice", False, "kit", "yelp"),
    "deer": ("mammal", "four", "forest", "leaves", False, "fawn", "grunt"),
    "elephant": ("mammal", "four", "savanna", "leaves", False, "calf", "trumpet"),
    "giraffe": ("mammal", "four", "savanna", "leaves", False, "calf", "hum"),
    "zebra": ("mammal", "four", "savanna", "grass", False, "foal", "bray"),
    "monkey": ("mammal", "two", "jungle", "bananas", False, "infant", "chatter"),
    "camel": ("mammal", "four", "desert", "grass", False, "calf", "grunt"),
    "kangaroo": ("mammal", "two", "desert", "grass", False, "joey", "cough"),
    "whale": ("mammal", "zero", "sea", "fish", False, "calf", "sing"),
    "bat": ("mammal", "two", "cave", "insects", True, "pup", "squeak"),
    "hen": ("bird", "two", "farm", "corn", True, "chick", "cluck"),
    "duck": ("bird", "two", "pond", "weeds", True, "duckling", "quack"),
    "goose": ("bird", "two", "pond", "grass", True, "gosling", "honk"),
    "owl": ("bird", "two", "forest", "mice", True, "owlet", "hoot"),
    "eagle": ("bird", "two", "mountain", "meat", True, "eaglet", "scream"),
    "crow": ("bird", "two", "field", "corn", True, "chick", "caw"),
    "penguin": ("bird", "two", "sea", "fish", False, "chick", "squawk"),
    "bee": ("insect", "six", "hive", "nectar", True, "larva", "buzz"),
    "ant": ("insect", "six", "nest", "sugar", False, "larva", "click"),
    "shark": ("fish", "zero", "sea", "fish", False, "pup", "splash"),
    "snake": ("reptile", "zero", "desert", "mice", False, "snakelet", "hiss"),
    "lizard": ("reptile", "four", "desert", "insects", False, "hatchling", "click"),
    "frog": ("amphibian", "four", "pond", "insects", False, "tadpole", "croak"),
}
"""animal: (class, number of legs as a word, home, food, flies, baby, sound)."""

PLANTS: dict[str, tuple[str, str]] = {
    "apple": ("red", "fruit"),
    "cherry": ("red", "fruit"),
    "strawberry": ("red", "fruit"),
    "banana": ("yellow", "fruit"),
    "lemon": ("yellow", "fruit"),
    "orange": ("orange", "fruit"),
    "peach": ("orange", "fruit"),
    "lime": ("green", "fruit"),
    "pear": ("green", "fruit"),
    "plum": ("purple", "fruit"),
    "grape": ("purple", "fruit"),
    "carrot": ("orange", "vegetable"),
    "tomato": ("red", "vegetable"),
    "spinach": ("green", "vegetable"),
    "cucumber": ("green", "vegetable"),
    "potato": ("brown", "vegetable"),
    "onion": ("white", "vegetable"),
    "corn": ("yellow", "vegetable"),
}
"""plant food: (colour, kind)."""

COLOURS = ("red", "yellow", "orange", "green", "purple", "brown", "white", "black", "blue", "pink")

_OPPOSITE_PAIRS = (
    ("hot", "cold"),
    ("big", "small"),
    ("old", "young"),
    ("fast", "slow"),
    ("rich", "poor"),
    ("happy", "sad"),
    ("long", "short"),
    ("light", "dark"),
    ("hard", "soft"),
    ("clean", "dirty"),
    ("full", "empty"),
    ("strong", "weak"),
)
OPPOSITES: dict[str, str] = {
    word: other for pair in _OPPOSITE_PAIRS for word, other in (pair, pair[::-1])
}

COMPARATIVES: dict[str, str] = {
    "hot": "hotter",
    "cold": "colder",
    "big": "bigger",
    "small": "smaller",
    "old": "older",
    "young": "younger",
    "fast": "faster",
    "slow": "slower",
    "rich": "richer",
    "poor": "poorer",
    "happy": "happier",
    "sad": "sadder",
    "long": "longer",
    "short": "shorter",
    "light": "lighter",
    "dark": "darker",
    "hard": "harder",
    "soft": "softer",
}

PLURALS: dict[str, str] = {
    "book": "books",
    "cup": "cups",
    "ball": "balls",
    "door": "doors",
    "tree": "trees",
    "chair": "chairs",
    "table": "tables",
    "river": "rivers",
    "house": "houses",
    "stone": "stones",
    "box": "boxes",
    "fox": "foxes",
    "bus": "buses",
    "dish": "dishes",
    "brush": "brushes",
    "church": "churches",
    "city": "cities",
    "story": "stories",
    "lady": "ladies",
    "baby": "babies",
    "leaf": "leaves",
    "knife": "knives",
    "shelf": "shelves",
    "wolf": "wolves",
    "man": "men",
    "woman": "women",
    "child": "children",
    "tooth": "teeth",
    "foot": "feet",
    "mouse": "mice",
    "goose": "geese",
    "potato": "potatoes",
}

VERBS: dict[str, tuple[str, str]] = {
    "find": ("found", "finds"),
    "buy": ("bought", "buys"),
    "see": ("saw", "sees"),
    "take": ("took", "takes"),
    "lose": ("lost", "loses"),
    "sell": ("sold", "sells"),
    "hold": ("held", "holds"),
    "bring": ("brought", "brings"),
    "break": ("broke", "breaks"),
    "choose": ("chose", "chooses"),
    "keep": ("kept", "keeps"),
    "leave": ("left", "leaves"),
    "hide": ("hid", "hides"),
    "throw": ("threw", "throws"),
    "catch": ("caught", "catches"),
    "steal": ("stole", "steals"),
    "clean": ("cleaned", "cleans"),
    "paint": ("painted", "paints"),
    "wash": ("washed", "washes"),
    "open": ("opened", "opens"),
    "move": ("moved", "moves"),
    "push": ("pushed", "pushes"),
    "drop": ("dropped", "drops"),
    "carry": ("carried", "carries"),
}
"""verb: (past tense, third person singular); all take a direct object."""

JOBS: dict[str, tuple[str, str]] = {
    "teacher": ("school", "chalk"),
    "doctor": ("hospital", "stethoscope"),
    "baker": ("bakery", "oven"),
    "farmer": ("field", "plough"),
    "cook": ("kitchen", "pan"),
    "pilot": ("airport", "plane"),
    "sailor": ("ship", "rope"),
    "soldier": ("camp", "rifle"),
    "judge": ("court", "gavel"),
    "painter": ("studio", "brush"),
    "carpenter": ("workshop", "hammer"),
    "gardener": ("garden", "spade"),
    "barber": ("salon", "scissors"),
    "miner": ("mine", "pickaxe"),
    "waiter": ("restaurant", "tray"),
}
"""job: (place of work, tool)."""

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

MONTHS = (
    ("January", "winter"),
    ("February", "winter"),
    ("March", "spring"),
    ("April", "spring"),
    ("May", "spring"),
    ("June", "summer"),
    ("July", "summer"),
    ("August", "summer"),
    ("September", "autumn"),
    ("October", "autumn"),
    ("November", "autumn"),
    ("December", "winter"),
)
"""(month, season of the northern half of the globe), in calendar order."""

NUMBER_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen", "twenty"),
)

NAMES = (
    *("Anna", "Ben", "Clara", "David", "Emma", "Frank", "Grace", "Henry", "Ida", "Jack"),
    *("Kate", "Leo", "Maria", "Nina", "Oscar", "Paul", "Rosa", "Sam", "Tom", "Vera"),
)

PLACES = (
    *("park", "garden", "kitchen", "school", "market"),
    *("library", "station", "museum", "office", "street"),
)

OBJECTS = (
    *("ball", "book", "bag", "cup", "hat", "key"),
    *("lamp", "ring", "box", "chair", "coat", "watch"),
)

GOOD_WORDS = (
    *("wonderful", "great", "lovely", "excellent"),
    *("perfect", "amazing", "pleasant", "fantastic"),
)
BAD_WORDS = ("terrible", "awful", "horrible", "bad", "boring", "ugly", "nasty", "dreadful")

TOPICS: dict[str, tuple[str, ...]] = {
    "sport": ("football", "tennis", "swimming", "running"),
    "food": ("bread", "soup", "cake", "rice"),
    "weather": ("rain", "snow", "wind", "sunshine"),
    "music": ("songs", "drums", "violins", "concerts"),
}

LABEL_PAIRS = (
    *(("sun", "moon"), ("left", "right"), ("up", "down")),
    *(("win", "lose"), ("day", "night"), ("good", "bad")),
)
"""Words that conditional tasks write (`If ..., write sun. Otherwise write moon.`)."""
