"""Countries of the clouds' regions, whose names only sometimes say them."""

from __future__ import annotations

import re

from commonweight.market.places import COUNTRIES, country_of

_TABLE = {
    # AWS, and clouds that name their regions in its way
    "ca-central-1": "CA",
    "ca-west-1": "CA",
    "eu-central-1": "DE",
    "eu-central-2": "CH",
    "eu-north-1": "SE",
    "eu-south-1": "IT",
    "eu-south-2": "ES",
    "eu-west-1": "IE",
    "eu-west-2": "GB",
    "eu-west-3": "FR",
    "ap-east-1": "HK",
    "ap-northeast-1": "JP",
    "ap-northeast-2": "KR",
    "ap-northeast-3": "JP",
    "ap-south-1": "IN",
    "ap-south-2": "IN",
    "ap-southeast-1": "SG",
    "ap-southeast-2": "AU",
    "ap-southeast-3": "ID",
    "ap-southeast-4": "AU",
    "af-south-1": "ZA",
    "il-central-1": "IL",
    "me-central-1": "AE",
    "sa-east-1": "BR",
    # Google Cloud
    "asia-east1": "TW",
    "asia-east2": "HK",
    "asia-northeast1": "JP",
    "asia-northeast2": "JP",
    "asia-northeast3": "KR",
    "asia-south1": "IN",
    "asia-south2": "IN",
    "asia-southeast1": "SG",
    "asia-southeast2": "ID",
    "australia-southeast1": "AU",
    "australia-southeast2": "AU",
    "europe-central2": "PL",
    "europe-north1": "FI",
    "europe-southwest1": "ES",
    "europe-west1": "BE",
    "europe-west2": "GB",
    "europe-west3": "DE",
    "europe-west4": "NL",
    "europe-west6": "CH",
    "europe-west8": "IT",
    "europe-west9": "FR",
    "europe-west10": "DE",
    "europe-west12": "IT",
    "me-west1": "IL",
    "northamerica-northeast1": "CA",
    "northamerica-northeast2": "CA",
    "southamerica-east1": "BR",
    "southamerica-west1": "CL",
    # Azure
    "australiaeast": "AU",
    "brazilsouth": "BR",
    "canadacentral": "CA",
    "canadaeast": "CA",
    "centralindia": "IN",
    "centralus": "US",
    "eastasia": "HK",
    "eastus": "US",
    "eastus2": "US",
    "francecentral": "FR",
    "germanywestcentral": "DE",
    "italynorth": "IT",
    "japaneast": "JP",
    "japanwest": "JP",
    "koreacentral": "KR",
    "northcentralus": "US",
    "northeurope": "IE",
    "norwayeast": "NO",
    "polandcentral": "PL",
    "qatarcentral": "QA",
    "southafricanorth": "ZA",
    "southcentralus": "US",
    "southeastasia": "SG",
    "southindia": "IN",
    "spaincentral": "ES",
    "swedencentral": "SE",
    "switzerlandnorth": "CH",
    "uaenorth": "AE",
    "uksouth": "GB",
    "ukwest": "GB",
    "westcentralus": "US",
    "westeurope": "NL",
    "westus": "US",
    "westus2": "US",
    "westus3": "US",
    # Nebius and Verda
    "eu-north1": "FI",
    "eu-west1": "FR",
    "me-west1-a": "IL",
    "uk-south1": "GB",
    "fin-01": "FI",
    "fin-02": "FI",
    "fin-03": "FI",
    "ice-01": "IS",
}
_ZONE = re.compile(r"-?[a-f]$")
_INNER = re.compile(r"^(?:EU|EUR|AP|OC|SEA|ME|AF)-([A-Z]{2})-\d+$")
_LEADING = re.compile(r"^(US|CA)[ -]", re.IGNORECASE)


def country_in(region: str) -> str:
    """The ISO 3166 code of a region or zone (`eu-west-1`, `europe-west4-a`, `EU-SE-1`); empty where it is unknown."""
    name = region.strip()
    for tried in (name.lower(), _ZONE.sub("", name.lower())):
        if tried in _TABLE:
            return _TABLE[tried]
    inner, leading = _INNER.match(name), _LEADING.match(name)
    if inner and inner[1] in COUNTRIES:
        return inner[1]
    return leading[1].upper() if leading else country_of(name)
