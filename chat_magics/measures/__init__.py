"""What can be measured of a text: its length, its language and mood, what it is about.

`measure(text)` gives the figures of one text, each computed when it is asked for; `with_measures`
adds them to a frame of messages. The files: `prose` tells text from code, `key_phrases` and
`stop_words` find what a text is about, `language` and `sentiment` use the two packages of the
extra `analysis`, `measure` and `columns` are the two ways in. Nothing here knows of storage.
"""

from chat_magics.measures.columns import MEASURES, Measure, with_measures
from chat_magics.measures.measure import Measures, measure

__all__ = ["MEASURES", "Measure", "Measures", "measure", "with_measures"]
