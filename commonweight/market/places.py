"""Where a machine stands: ISO 3166 codes of countries, and the regions that people ask for."""

from __future__ import annotations

import difflib
import re

from commonweight.market.errors import BadQuery

EU = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
EUROPE = f"{EU} AL BA BY CH GB IS LI MD ME MK NO RS UA XK"
ASIA = "AE AM AZ BD CN GE HK ID IL IN JO JP KH KR KW KZ LK MO MY NP OM PH PK QA SA SG TH TR TW UZ VN"
REGIONS = {
    "EU": frozenset(EU.split()),
    "EUROPE": frozenset(EUROPE.split()),
    "EEA": frozenset(f"{EU} IS LI NO".split()),
    "NORTH-AMERICA": frozenset(["US", "CA", "MX"]),
    "SOUTH-AMERICA": frozenset(["AR", "BO", "BR", "CL", "CO", "EC", "PE", "PY", "UY", "VE"]),
    "ASIA": frozenset(ASIA.split()),
    "AFRICA": frozenset(["DZ", "EG", "ET", "GH", "KE", "MA", "NG", "RW", "SN", "TN", "TZ", "UG", "ZA"]),
    "OCEANIA": frozenset(["AU", "FJ", "NZ"]),
}
COUNTRIES = frozenset().union(*REGIONS.values()) | {"RU"}
_NAMES = {
    "UNITED STATES": "US",
    "USA": "US",
    "UNITED KINGDOM": "GB",
    "UK": "GB",
    "GERMANY": "DE",
    "FRANCE": "FR",
    "NETHERLANDS": "NL",
    "THE NETHERLANDS": "NL",
    "SWEDEN": "SE",
    "NORWAY": "NO",
    "FINLAND": "FI",
    "DENMARK": "DK",
    "ICELAND": "IS",
    "IRELAND": "IE",
    "SPAIN": "ES",
    "PORTUGAL": "PT",
    "ITALY": "IT",
    "SWITZERLAND": "CH",
    "AUSTRIA": "AT",
    "BELGIUM": "BE",
    "POLAND": "PL",
    "CZECHIA": "CZ",
    "CZECH REPUBLIC": "CZ",
    "SLOVAKIA": "SK",
    "HUNGARY": "HU",
    "ROMANIA": "RO",
    "BULGARIA": "BG",
    "GREECE": "GR",
    "SLOVENIA": "SI",
    "CROATIA": "HR",
    "ESTONIA": "EE",
    "LATVIA": "LV",
    "LITHUANIA": "LT",
    "UKRAINE": "UA",
    "SERBIA": "RS",
    "CANADA": "CA",
    "MEXICO": "MX",
    "BRAZIL": "BR",
    "ARGENTINA": "AR",
    "CHILE": "CL",
    "COLOMBIA": "CO",
    "JAPAN": "JP",
    "SOUTH KOREA": "KR",
    "KOREA": "KR",
    "CHINA": "CN",
    "HONG KONG": "HK",
    "TAIWAN": "TW",
    "SINGAPORE": "SG",
    "INDIA": "IN",
    "ISRAEL": "IL",
    "UNITED ARAB EMIRATES": "AE",
    "SAUDI ARABIA": "SA",
    "TURKEY": "TR",
    "THAILAND": "TH",
    "VIETNAM": "VN",
    "MALAYSIA": "MY",
    "INDONESIA": "ID",
    "PHILIPPINES": "PH",
    "AUSTRALIA": "AU",
    "NEW ZEALAND": "NZ",
    "SOUTH AFRICA": "ZA",
    "RUSSIA": "RU",
    "KAZAKHSTAN": "KZ",
}


def country_of(text: str) -> str:
    """The code in a provider's words (`Washington, US`, `Sweden, SE`, `germany`); empty where they name none."""
    last = text.strip().rpartition(",")[2].strip().upper()
    if last in COUNTRIES:
        return last
    return _NAMES.get(last, "")


def countries_of(asked: str) -> frozenset[str]:
    """The countries of a region or a country that somebody asks for. Raises BadQuery with what is near."""
    name = re.sub(r"[ _]", "-", asked.strip().upper())
    if name in REGIONS:
        return REGIONS[name]
    code = country_of(asked)
    if code:
        return frozenset({code})
    near = difflib.get_close_matches(asked.strip().upper(), [*REGIONS, *_NAMES], n=3, cutoff=0.5)
    hint = (
        f"; did you mean {' or '.join(near)}?" if near else f"; regions are {', '.join(REGIONS)}, countries as DE or US"
    )
    raise BadQuery(f"{asked!r} is no region that is known here{hint}")
