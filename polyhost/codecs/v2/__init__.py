"""The worker half of the Open Inference Protocol V2: REST with JSON and binary tensors, and gRPC.

Both forms are read into :class:`~polyhost.codecs.v2.message.InferRequest`, predicted alike, and
written in the form in which they came.
"""
