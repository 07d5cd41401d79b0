"""Images of one set that show one scene are one group, in whatever parts their pairs come."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from derainbench.overlap import compare as module
from derainbench.overlap.compare import compare
from derainbench.overlap.fingerprint import Fingerprint, Fingerprints, Matches
from derainbench.overlap.image_sets import ImageSet

edge_lists = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19), st.booleans()), max_size=30)


@given(edges=edge_lists, size=st.integers(1, 7))
def test_groups_are_what_chains_of_pairs_join(edges: list[tuple[int, int, bool]], size: int) -> None:
    """Whatever parts the pairs come in."""
    clean = sorted({(min(a, b), max(a, b)): exact for a, b, exact in edges if a != b}.items())
    columns = [np.array(each) for each in zip(*((a, b, 1.0, exact) for (a, b), exact in clean), strict=True)]
    parts = [Matches(*(column[at : at + size] for column in columns)) for at in range(0, len(clean), size)]
    prints = Fingerprints.of([Fingerprint("", 9, 9, 1.0, np.zeros(400, np.float16))] * 20)
    images = ImageSet("set", tuple(map(str, range(20))), prints)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "iter_matches", lambda first, second: iter(parts))
        found = compare(images, images)
    scenes = [{n} for n in range(20)]
    for (a, b), _ in clean:
        joined = scenes[a] | scenes[b]
        for n in joined:
            scenes[n] = joined
    expected = sorted({tuple(sorted(scene)) for scene in scenes if len(scene) > 1})
    assert [tuple(group.images.tolist()) for group in found.grouped] == expected
    for group in found.grouped:
        kinds = {exact for (a, _), exact in clean if a in group.images}
        assert group.kind == {(True,): "exact", (False,): "near", (False, True): "exact and near"}[tuple(sorted(kinds))]
    assert found.in_first.tolist() == sorted({n for pair, _ in clean for n in pair})
    assert (found.count, len(list(found.pairs()))) == (len(clean), len(clean))
