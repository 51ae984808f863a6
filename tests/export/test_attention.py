"""The page of recorded attention: whole, and nothing in it can leave its place."""

from __future__ import annotations

import json
import re

from llada_demo.export.attention import attention_page

HOSTILE = "</script><script>alert(1)</script><!-- %%STYLE%% ${x}"


def test_words_cannot_leave_the_data_and_nothing_is_fetched() -> None:
    page = attention_page({"words": [HOSTILE], "layer": None}, [0])
    assert page.count("<script>") == page.count("</script>") == 2
    assert "http" not in re.sub(r"http://www\.w3\.org/\S+|http-equiv", "", page)
    data = re.search(r"const \{ record, locked \} = (.*);", page)
    assert data
    assert json.loads(data[1]) == {"record": {"words": [HOSTILE], "layer": None}, "locked": [0]}
