"""Contrast by the rule of WCAG 2: (L1 + 0.05) / (L2 + 0.05), with L the relative luminance."""

import pytest

from kdzero_gp.drawing.palette import ALL, INK, STUDENT, TEACHER, Colour


def luminance(colour: str) -> float:
    channels = []
    for place in (1, 3, 5):
        value = int(colour[place : place + 2], 16) / 255
        channels.append(value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)
    return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colour", ALL, ids=lambda colour: colour.name)
def test_text_and_outline_stand_out_on_light_and_dark(colour: Colour) -> None:
    assert contrast(INK, colour.fill) >= 7
    assert contrast("#e8eaee", colour.dark_fill) >= 7
    assert contrast(colour.line, "#ffffff") >= 4.5
    assert contrast(colour.dark_line, "#1d2127") >= 4.5


@pytest.mark.parametrize("line", [STUDENT, TEACHER])
def test_the_lines_of_a_pair_stand_out_on_both_pages(line: str) -> None:
    assert contrast(line, "#ffffff") >= 3
    assert contrast(line, "#1d2127") >= 3
