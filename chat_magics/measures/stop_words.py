"""Words that say little of what a text is about, of four languages; written for this package."""

from __future__ import annotations

__all__ = ["STOP_WORDS"]

_ENGLISH = """
a about above add added after again all almost already also although always am among an and another
any anyone anything are aren't around as at away back be because become becomes been before being
belong belongs below best better between both but by call called came can can't cannot come comes
contains could couldn't did didn't different do does doesn't doing don't done down during e.g each
eight either else enough etc even ever every everything exactly example few find first five
following for four from further gave get gets getting give given gives go goes going good got great
had happens has hasn't have haven't having he he's hello help hence her here here's hers hi him his
how however i i'd i'll i'm i've i.e if in instead into is isn't it it's its itself just keep keeps
know last later least less let let's like likely look looks made make makes making many may maybe
me mean means might mine more most much must my need needs never new next nine no none nor not
nothing now of off often ok okay old on once one only onto or other others our ours out over own
per perhaps please put quite rather really return returns said same say says second see seem seems
seven several shall she short should shouldn't show shows simply since six so some someone
something sometimes soon still such sure take takes tell ten than thank thanks that that's the
their theirs them then there there's therefore these they they're thing things think third this
those though three through thus to together too toward try two under until up upon us use used uses
using usually very via vs want wants was wasn't way ways we we'd we'll we're we've well were
weren't what what's when where whether which while who whole whose why will with within without
won't work works would wouldn't write yes yet you you'd you'll you're you've your yours yourself
"""

_GERMAN = """
ab aber alle allem allen aller alles als also am an ander andere anderem anderen anderer anderes
anders auch auf aus außer bei beide beiden beim bereits besonders besser bin bis bist bitte bzw da
dabei dadurch dafür dagegen daher damit danach daneben dann daran darauf daraus darf darin darum
darunter darüber das dass davon davor dazu daß dein deine deinem deinen deiner dem den denen denn
dennoch der deren des deshalb dessen die dies diese diesem diesen dieser dieses dir doch dort drei
du durch dürfen ebenso eigentlich ein eine einem einen einer eines einfach einige einigen einiger
einmal er erst erste ersten es etwa etwas euch euer eure falls fast fünf für gab ganz gar geben
gegen gehen geht gemacht genau gerade gern gewesen gibt gleich gut habe haben hallo hast hat hatte
hatten her hier hin hinter hätte ich ihm ihn ihnen ihr ihre ihrem ihren ihrer immer in indem ins
ist ja je jede jedem jeden jeder jedes jedoch jene jetzt kann kannst kaum kein keine keinem keinen
keiner kommt können könnte könnten lassen lässt machen macht mal man manche manchmal mehr mein
meine meinem meinen meiner meist meistens mich mir mit muss musste möchte möglich müssen nach
nachdem nein nicht nichts nie niemand noch nun nur ob obwohl oder oft ohne paar pro schon sehr sei
sein seine seinem seinen seiner seit selbst sich sie sind so sobald sodass sogar solche solchen
soll sollen sollte sollten somit sondern sonst sowie sowohl statt sämtliche trotzdem um und uns
unser unsere unter usw vier vom von vor wann war waren warum was wegen weil weiter weitere weiteren
welche welchem welchen welcher welches wenig wenige weniger wenn wer werde werden weshalb wie
wieder will wir wird wirklich wissen wo wobei wodurch wohl wollen wurde wurden während wäre würde
würden zeigt zu zudem zum zur zwar zwei zwischen über
"""

_FRENCH = """
a afin ai aie ainsi alors après as assez au aucun aucune aujourd'hui aura aurait aussi autre autres
aux avait avant avec avez avoir avons beaucoup bien bonjour c'est car ce ceci cela celle celles
celui cependant ces cet cette ceux chaque chez ci cinq comme comment d'abord d'un d'une dans de
depuis des deux devez doit doivent donc dont du elle elles en encore entre es est et eux faire fait
faites fois font grâce ici il ils j'ai je jusqu'à l'on la laquelle le lequel les lesquels leur
leurs lors lorsque lui là ma mais me merci mes moi moins mon même n'est ne ni non nos notre nous on
ont ou oui où par parce parfois pas pendant peu peut peuvent peux plus plusieurs plutôt pour
pourquoi pourrait pouvez puis puisque qu'elle qu'il qu'ils qu'on qu'un qu'une quand quatre que quel
quelle quelles quelque quelques quels qui quoi s'est s'il sa sans se selon sera serait ses
seulement si sinon soit son sont sous souvent sur ta te tel telle tes toi ton toujours tous tout
toute toutes trois trop très tu un une va vers veux voici voilà vont vos votre vous y à ça étaient
était étant été être
"""

_SPANISH = """
a actualmente además ahora al algo alguna algunas algunos algún allí ante antes aquel aquella
aquellos aquí así aunque bajo bastante bien cada casi como con contra cosa cual cuales cualquier
cuando cuanto cuatro cuál cuándo cómo de debe deben debido decir del desde después donde dos
durante dónde e el ella ellas ellos en entonces entre era eran eres es esa esas ese eso esos esta
estaba estado estar estas este esto estos estoy está están fue fueron gracias ha había hace hacen
hacer hacia han hasta hay he hola incluso la las le les lo los luego mas me mejor menos mi mientras
mis misma mismo mucha muchas mucho muchos muy más nada ni no nos nosotros nuestra nuestro nunca o
os otra otras otro otros para pero poco por porque porqué primero pueda puede pueden puedes pues
que quien quiere quiero quién qué se sea según ser será si sido siempre siguiente sin sino sobre
solo son su sus sí sólo también tampoco tan tanto te tener tengo ti tiene tienen toda todas todavía
todo todos tras tres tu tus tú un una unas uno unos usar uso usted ustedes va varias varios veces
ver vez vosotros y ya yo él
"""

STOP_WORDS = {
    "de": frozenset(_GERMAN.split()),
    "en": frozenset(_ENGLISH.split()),
    "es": frozenset(_SPANISH.split()),
    "fr": frozenset(_FRENCH.split()),
}
"""Stop words in lower case by the ISO 639-1 code of their language."""
