"""Data held against a model's signature: columns, tensors and the parameters of a call.

Only conversions that lose nothing are made; everything else is a SchemaMismatch that names the
column, the row and the value.
"""

from __future__ import annotations

from polyhost.pipeline.signature.columns import SignatureSchema
from polyhost.pipeline.signature.params import enforced as enforced_params
from polyhost.pipeline.signature.tensors import enforced as enforced_tensors

__all__ = ["SignatureSchema", "enforced_params", "enforced_tensors"]
