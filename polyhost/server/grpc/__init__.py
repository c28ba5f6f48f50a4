"""V2 over gRPC: bytes in, bytes out, over the same calls and routes as HTTP.

Needs grpcio, which is imported when a server with ``grpc_port`` starts. Messages of inferences are
read in the worker; here no more of them than the model's name.
"""
