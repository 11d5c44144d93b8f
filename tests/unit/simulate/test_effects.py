import pytest

from larvastats.errors import UsageError
from larvastats.simulate.effects import Effect, default_effects, read_effects
from larvastats.simulate.states import airpuff_screen, light_screen, with_duration

MODEL = light_screen()
LINES = ("A", "B")
GOOD = {"line": "A", "kind": "transition", "from": "run", "to": "stop", "delta": 0.1}


def read(source):
    return read_effects(source, MODEL, LINES, "FCF")


def test_tables_of_a_file_are_read(tmp_path):
    path = tmp_path / "effects.toml"
    path.write_text(
        '[[effect]]\nline = "A"\nkind = "transition"\nfrom = "run"\nto = "stop"\n'
        'window = "during_2"\ndelta = -0.1\n'
        '[[effect]]\nline = "B"\nkind = "habituation"\ndelta = 3\n'
    )
    assert read(path) == (
        Effect("A", "transition", -0.1, "run", "stop", "during_2"),
        Effect("B", "habituation", 3.0),
    )


def test_dicts_and_effects_are_read_alike():
    effect = Effect("A", "dwell", 2.0, "cast", window="before")
    assert read([effect.as_dict()]) == read([effect]) == (effect,)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"line": "Z"}, r"effect 1 has the unknown line 'Z'; expected one of A, B"),
        ({"line": "FCF"}, r"names the control 'FCF'"),
        ({"line": None}, r"has no 'line'"),
        ({"kind": "sped"}, r"unknown kind 'sped'; expected one of transition, dwell"),
        ({"from": "fly"}, r"unknown from 'fly'; expected one of run, cast"),
        ({"to": "fly"}, r"unknown to 'fly'"),
        ({"to": None}, r"has no 'to'"),
        ({"to": "run"}, r"from 'run' to itself"),
        ({"window": "during_3"}, r"effect 1: .*no window 'during_3'"),
        ({"window": "soon"}, r"Window 'soon' is not known"),
        ({"window": "each"}, r"'each', which is many windows"),
        ({"window": 4}, r"'window' that is a text, found 4"),
        ({"delta": "much"}, r"'delta' that is a finite number, found 'much'"),
        ({"delta": True}, r"'delta' that is a finite number, found True"),
        ({"delta": float("nan")}, r"finite number, found nan"),
        ({"delta": None}, r"finite number, found None"),
        ({"delta": 1.5}, r"from -1 to 1"),
        ({"kind": "dwell", "to": None, "delta": 0}, r"is a factor; expected a number above 0"),
        ({"kind": "dwell"}, r"kind 'dwell', which takes no 'to'"),
        ({"kind": "habituation", "to": None}, r"kind 'habituation', which takes no 'from'"),
        ({"amount": 1}, r"unknown key 'amount'; expected line, kind, from"),
    ],
)
def test_a_bad_table_is_one_sentence(change, words):
    table = {key: value for key, value in (GOOD | change).items() if value is not None}
    with pytest.raises(UsageError, match=words):
        read([table])


def test_a_table_that_is_none_is_one_sentence():
    with pytest.raises(UsageError, match="effect 2 must be a table"):
        read([GOOD, 7])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[[effect]\n", r"no valid TOML \(.*line 1"),
        (b"\xff\xfe", r"no valid TOML"),
        (b"[effect]\nline = 1\n", r"found one \[effect\]"),
        (b"", r"found no effect"),
        (b"[[effects]]\nline = 1\n", r"found effects"),
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path, content, words):
    path = tmp_path / "effects.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=words):
        read(path)


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(UsageError, match=r"none\.toml: the file of effects cannot be read"):
        read(tmp_path / "none.toml")


@pytest.mark.parametrize("model", [light_screen(), airpuff_screen()])
def test_about_half_of_the_lines_are_null_and_more_lines_change_none(model):
    lines = tuple(f"L{k}" for k in range(60))
    effects = default_effects(model, lines)
    null = set(lines) - {effect.line for effect in effects}
    assert 0.35 < len(null) / len(lines) < 0.6
    assert effects[: len(default_effects(model, lines[:20]))] == default_effects(model, lines[:20])


def test_built_in_effects_need_a_stimulus():
    model = with_duration(light_screen("r_LED100"), 60)
    with pytest.raises(UsageError, match="act during a stimulus, but protocol 'r_LED100' has none"):
        default_effects(model, LINES)
