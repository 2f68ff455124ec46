"""English words that the faithfulness gate knows: our own selection, with irregular forms."""

from __future__ import annotations

from typing import Final


def words(text: str) -> frozenset[str]:
    """The words of a list."""
    return frozenset(text.split())


FUNCTION_WORDS: Final = words("""
    a an the this that these those my your his her its our their mine yours hers ours theirs
    i me we us you he him she it they them myself yourself himself herself itself ourselves
    yourselves themselves who whom whose which what where when why how whether
    and or but nor so yet if then else than as because since although though while whereas unless
    until till of in on at to from for with by about into onto through between among over under
    after before during within against per via upon across along around towards toward off out up
    down away again
    is are was were be been being am has have had having do does did doing done can could should
    would will shall may might must ought let
    not no n't cannot never none nothing nobody nowhere neither without
    don't doesn't didn't isn't aren't wasn't weren't hasn't haven't hadn't can't couldn't won't
    wouldn't shouldn't mustn't needn't shan't it's that's there's he's she's what's let's
    i'm you're we're they're i've you've we've they've i'll you'll he'll she'll it'll we'll they'll
    there here very too also just only even more most less least much many some any all both each
    every few several other another such same own one ones
    however therefore thus hence moreover furthermore whilst whereby wherein thereof
    said says say get gets got
    """)

ABBREVIATIONS: Final = words("""
    mr mrs ms dr prof st no vs etc jr sr inc ltd co corp dept fig eq vol pp approx ca cf eg ie al
    jan feb mar apr jun jul aug sep sept oct nov dec gen col lt capt sgt rev hon
    """)

_FORMS: Final = """
    be:is are was were been being am have:has had having do:does did done go:goes went gone
    say:said take:took taken give:gave given get:got gotten make:made know:knew known see:saw seen
    find:found think:thought come:came bring:brought buy:bought build:built begin:began begun
    become:became break:broke broken burn:burnt catch:caught choose:chose chosen cost:costs
    dig:dug draw:drew drawn drink:drank drunk drive:drove driven eat:ate eaten fall:fell fallen
    feed:fed feel:felt fight:fought flee:fled fly:flew flown forbid:forbade forbidden
    forget:forgot forgotten freeze:froze frozen grow:grew grown hang:hung hear:heard hide:hid hidden
    hold:held keep:kept lay:laid lead:led learn:learnt leave:left lend:lent lie:lay lain lose:lost
    mean:meant meet:met pay:paid ride:rode ridden ring:rang rung rise:rose risen run:ran sell:sold
    send:sent shake:shook shaken shine:shone shoot:shot show:shown shrink:shrank shrunk sing:sang
    sung sink:sank sunk sit:sat sleep:slept speak:spoke spoken spend:spent spring:sprang sprung
    stand:stood steal:stole stolen stick:stuck strike:struck swim:swam swum teach:taught tear:tore
    torn tell:told throw:threw thrown understand:understood wake:woke woken wear:wore worn win:won
    wind:wound write:wrote written withdraw:withdrew withdrawn bear:bore born borne beat:beaten
    bite:bit bitten blow:blew blown deal:dealt seek:sought lighten:lit stride:strode
    child:children man:men woman:women foot:feet tooth:teeth mouse:mice goose:geese person:people
    leaf:leaves half:halves life:lives wolf:wolves knife:knives wife:wives shelf:shelves
    good:better best bad:worse worst far:farther further little:less
    """


def _bases() -> dict[str, str]:
    bases: dict[str, str] = {}
    base = ""
    for word in _FORMS.split():
        head, colon, form = word.partition(":")
        base = head if colon else base
        bases[form if colon else word] = base
    return bases


BASES: Final = _bases()
"""From an irregular form to its base."""

NEGATIONS: Final = words("""
    not no never none nothing nobody nowhere neither nor without cannot
    """)
"""Words whose loss turns a statement round; so does every word that ends in `n't`."""

HINTS: Final = words("""
    hardly scarcely barely rarely seldom few little only solely sole exclusively merely mere until
    unless except instead rather unlike
    fail fails failed failing failure lack lacks lacked lacking absence absent refuse refuses
    refused refusing decline declines declined declining deny denies denied denying prevent
    prevents prevented preventing avoid avoids avoided avoiding forbid forbids forbidden forbade
    ban bans banned prohibit prohibits prohibited exclude excludes excluded excluding abstain
    abstains refrain refrains refraining reject rejects rejected ignore ignores ignored ignoring
    miss misses missed missing false wrong zero void empty stop stops stopped cease ceases ceased
    eschew eschews eschewing devoid bereft contrary outside elude eludes eluded omit omits omitted
    skip skips skipped spared rare scarce abandon abandoned resist resists resisted doubt doubtful
    deprived dismiss dismissed withhold withheld otherwise regrettably unfortunately still remain
    remains remained stay stays stayed different differ differs sooner innate save keep keeps kept
    alive dead lose loses lost losing too free freedom anyone anybody anything anywhere ever
    lieu least impossible unable erroneous mistaken myth untrue poorly badly difficult illegal
    irregular irrelevant inadequate incorrect incomplete
    inactive imperfect inferior afraid invalid bar bars barred halt halts halted shut closed exempt
    """)
"""Words that may say in another way what a negation says: a clause with one is never blamed."""

WEAK_HINTS: Final = words("""
    few little only solely sole exclusively merely mere until unless except instead rather unlike
    still remain remains remained stay stays stayed different differ differs keep keeps kept alive
    dead too free freedom anyone anybody anything anywhere ever least otherwise outside save
    """)
"""Hints that bear no negation where the other side has them in the same place, too."""

NEGATIVE_PREFIXES: Final = ("un", "dis", "non")
"""Beginnings of words that may negate the rest: `unknown`."""
