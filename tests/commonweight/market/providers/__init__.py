"""Adapters against their stand-ins: offers, launches under faults, lists on pages, ends and bills."""
