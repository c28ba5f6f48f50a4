"""CloudEvents around the bodies of requests and answers, in the structured and the binary form.

``settings`` of an event: whether it is ``binary``, its ``attributes`` then (they come as headers), and
what the operator's CE_TYPE, CE_SOURCE and CE_MERGE say: ``type``, ``source``, ``merge``.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import uuid
from typing import Any, Dict, Mapping, Tuple
from urllib.parse import quote

from polyhost.codecs import Answer
from polyhost.data.payload import Buffer
from polyhost.errors import InvalidInput
from polyhost.formats import json

EVENTS = "application/cloudevents+json"
RESPONSE = "io.kserve.inference.response"
REQUIRED = ("specversion", "id", "source", "type")
VERSIONS = ("1.0", "0.3")
_PAYLOAD = ("data", "data_base64")
_OF_THE_BODY = ("datacontenttype", "dataschema", "content-type")


def opened(settings: Mapping[str, Any], body: Buffer) -> Tuple[Dict[str, Any], Any]:
    """Attributes and data of an event; InvalidInput when it lacks one that all have."""
    if settings["binary"]:
        attributes = dict(settings["attributes"])
        _check_attributes(attributes)
        return attributes, json.loads(body)
    value = json.loads(body)
    if not isinstance(value, dict):
        raise InvalidInput("the body is no CloudEvent: expected a JSON object.")
    attributes = {key: found for key, found in value.items() if key not in _PAYLOAD}
    _check_attributes(attributes)
    if "data_base64" not in value:
        return attributes, value.get("data")
    try:
        return attributes, json.loads(base64.b64decode(value["data_base64"], validate=True))
    except (binascii.Error, TypeError, ValueError):
        raise InvalidInput("the event's data_base64 is not base64.") from None


def _check_attributes(attributes: Mapping[str, Any]) -> None:
    missing = [name for name in REQUIRED if not attributes.get(name)]
    if missing:
        raise InvalidInput(
            f"the CloudEvent lacks {', '.join(missing)}: expected all of {', '.join(REQUIRED)}."
        )
    if attributes["specversion"] not in VERSIONS:
        raise InvalidInput(
            f"the CloudEvent's specversion is {attributes['specversion']!r:.40}: expected one of "
            f"{', '.join(VERSIONS)}."
        )


def enclosed(
    found: Answer, attributes: Mapping[str, Any], settings: Mapping[str, Any], model: str
) -> Answer:
    """The answer as an event of the form in which the request came."""
    assert isinstance(found.body, bytes)
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()
    event: Dict[str, Any] = {"specversion": attributes["specversion"]}
    if settings["merge"]:
        kept = {key: value for key, value in attributes.items() if key not in ("id", "time")}
        event.update({key: value for key, value in kept.items() if key not in _OF_THE_BODY})
    event["type"] = settings["type"] or RESPONSE
    event["source"] = settings["source"] or f"io.kserve.inference.{model}"
    event.update({"id": str(uuid.uuid4()), "time": now})
    if settings["binary"]:
        headers = {f"ce-{key}": quote(str(value), safe=_PLAIN) for key, value in event.items()}
        return Answer(found.body, headers=headers)
    event["datacontenttype"] = "application/json"
    body = json.dumps(event)[:-1] + b',"data":' + found.body + b"}"
    return Answer(body, EVENTS)


_PLAIN = " !#$&'()*+,-./:;<=>?@[]^_`{|}~"
"""What a header holds as it is, besides letters and digits; all else is percent-encoded."""
