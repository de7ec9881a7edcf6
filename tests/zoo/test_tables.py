import datetime

import pytest

from zoo.errors import InvalidInput
from zoo.features import air, tables

HOURLY = "year,month,day,hour,load"


def written(tmp_path, text, name="table.csv"):
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


def refusal(function, *arguments):
    with pytest.raises(InvalidInput) as error:
        function(*arguments)
    return str(error.value)


@pytest.mark.parametrize("name", ["table.csv", "UP.CSV"])
def test_a_table_from_excel_has_the_columns_it_shows(tmp_path, name):
    table = tables.read(written(tmp_path, "\ufeffload, oil\n1,2\n", name))
    assert table.columns == {"load": ("1",), "oil": ("2",)}


def test_two_columns_of_one_name_are_refused(tmp_path):
    path = written(tmp_path, "load,oil,load\n1,2,3\n")
    assert refusal(tables.read, path) == f"{path} has 2 columns named 'load': rename or remove all but one."


def test_columns_without_a_name_may_be_many(tmp_path):
    assert tables.read(written(tmp_path, "load,,\n1,,\n")).columns["load"] == ("1",)


def test_a_table_separated_by_semicolons_is_told_apart(tmp_path):
    path = written(tmp_path, "date;HUFL;OT\n2016-07-01;5,8;30\n")
    assert refusal(tables.read, path) == (
        f"{path} separates its cells by semicolons: save it with commas, its numbers with points."
    )
    assert list(tables.read(written(tmp_path, "load; kW\n1\n")).columns) == ["load; kW"]


def test_a_quotation_mark_that_never_closes_is_refused(tmp_path):
    path = written(tmp_path, 'load,oil\n1,"' + 140_000 * "2" + "\n")
    assert refusal(tables.read, path) == (
        f"{path} is not a csv file (field larger than field limit (131072), at line 2). "
        "Look for a quotation mark that is never closed."
    )


def test_a_number_with_an_underscore_is_none(tmp_path):
    path = written(tmp_path, "load\n3_0\n")
    assert refusal(tables.read(path).numbers, ["load"]) == (
        f"{path} row 1 holds '3_0' in column 'load', which is not a number. Fill such cells first."
    )


@pytest.mark.parametrize("cells", ["2016,2,9,7", "2016.0,02,09, 7"])
def test_an_hour_is_put_together_from_its_columns(tmp_path, cells):
    table = tables.read(written(tmp_path, f"{HOURLY}\n{cells},1\n"))
    assert tables.moments(table, 1.0) == [datetime.datetime(2016, 2, 9, 7)]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("2010,13,25,8", "row 1 holds '13' in column 'month'; it is a whole number from 1 to 12."),
        ("2010,12,0,8", "row 1 holds '0' in column 'day'; it is a whole number from 1 to 31."),
        ("2010,12,25,24", "row 1 holds '24' in column 'hour'; it is a whole number from 0 to 23."),
        ("2010,12,25,8.5", "row 1 holds '8.5' in column 'hour'; it is a whole number from 0 to 23."),
        ("0,12,25,8", "row 1 holds '0' in column 'year'; it is a whole number from 1 to 9999."),
        ("2010,2,30,8", "row 1 holds day 30 of month 2 in year 2010: there is no such day."),
        ("2010,,1,8", "row 1 holds '' in column 'month', which is not a number. Fill such cells first."),
    ],
)
def test_an_hour_that_never_was_is_refused_by_its_column(tmp_path, cells, message):
    path = written(tmp_path, f"{HOURLY}\n{cells},1\n")
    assert refusal(tables.moments, tables.read(path), 1.0) == f"{path} {message}"


@pytest.mark.parametrize(
    ("name", "cell", "message"),
    [
        ("month", "0", "Row 1 holds '0' in column 'month'; it is a whole number from 1 to 12."),
        ("day", "32", "Row 1 holds '32' in column 'day'; it is a whole number from 1 to 31."),
        ("hour", "77", "Row 1 holds '77' in column 'hour'; it is a whole number from 0 to 23."),
        ("hour", "-1", "Row 1 holds '-1' in column 'hour'; it is a whole number from 0 to 23."),
        ("TEMP", "1_0", "Row 1 holds '1_0' in column 'TEMP', which is not a number."),
    ],
)
def test_air_of_an_hour_that_never_was_is_refused_without_a_year_too(name, cell, message):
    columns = dict.fromkeys(air.COLUMNS, ("1",)) | {"cbwd": ("NE",), name: (cell,)}
    assert refusal(air.encode, columns) == message


def test_dates_of_which_some_have_an_offset_are_refused(tmp_path):
    path = written(tmp_path, "date\n2016-07-01 00:00\n2016-07-01 01:00+02:00\n")
    assert refusal(tables.moments, tables.read(path), 1.0) == (
        f"{path} row 1 has the date '2016-07-01 00:00' and row 2 '2016-07-01 01:00+02:00': "
        "write a UTC offset in all rows or in none."
    )


def test_dates_that_all_have_an_offset_are_as_far_apart_as_their_moments(tmp_path):
    path = written(tmp_path, "date\n2016-10-30 02:00+02:00\n2016-10-30 02:00+01:00\n")
    assert len(tables.moments(tables.read(path), 1.0)) == 2
