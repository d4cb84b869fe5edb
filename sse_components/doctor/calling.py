"""An event that is published over the REST API at a public address, with a key."""

from __future__ import annotations

import json
from contextlib import closing
from http.client import HTTPException

from django.urls import NoReverseMatch, reverse

from sse_components.doctor.address import Address
from sse_components.doctor.trial import NAME, Unpublished, new_group

PATIENCE_SECONDS = 5
RIGHTS = (
    "Give the key the scopes publish and subscribe, and the pattern doctor.*; or take "
    "the one in SSE_API_KEY."
)
CURES = {
    401: "Give a key that is valid there: neither expired nor revoked.",
    403: RIGHTS,
    404: 'Have "sse_components.api.urls" in the addresses there, at the same place as '
    "here.",
    429: "Wait a moment, or give the key a higher rate.",
    503: "Its broker is away, or its keys can't be read: the site's log says why.",
}
ELSE = "Something on the way answers for the application, or it fails: see their logs."


class CallTrial:
    """Over REST, as systems do that are not Django: it works with every broker."""

    grant = ""

    def __init__(self, address: Address, key: str) -> None:
        self.key = key
        self.group = new_group()
        self._address = address

    def publish(self) -> None:
        headers = {
            "Authorization": f"Bearer {self.key}",
            "Content-Type": "application/json",
            "User-Agent": "sse_doctor",
        }
        try:
            with closing(self._address.connection(PATIENCE_SECONDS)) as connection:
                body = json.dumps({"event_name": NAME})
                connection.request("POST", self._target(), body, headers)
                status = connection.getresponse().status
        except (OSError, HTTPException) as fault:
            text = f"the REST API doesn't answer: {str(fault) or type(fault).__name__}."
            raise Unpublished(text, ELSE) from None
        if status != 202:
            text = f"the REST API answers {status} to what is published there."
            raise Unpublished(text, CURES.get(status, ELSE))

    def _target(self) -> str:
        try:
            there = reverse("sse_components_api:notify", kwargs={"group": self.group})
        except NoReverseMatch:
            text = "the REST API has no address here, so it is not known there either."
            cure = 'Include "sse_components.api.urls" in ROOT_URLCONF.'
            raise Unpublished(text, cure) from None
        return f"{self._address.path}{there}"
