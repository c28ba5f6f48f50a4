"""What the JVM's threads do, asked from another thread while a call runs."""

from __future__ import annotations

from polyhost.bridges.java.jvm import java_class


def stacks() -> str:
    """Every live thread's name, state and frames, as a Java thread dump has them."""
    import jpype

    if not jpype.isJVMStarted():
        return ""
    traces = java_class("java.lang.Thread").getAllStackTraces()
    texts = java_class("java.util.Arrays")
    dump = ["JVM threads:"]
    for entry in traces.entrySet():
        thread = entry.getKey()
        dump.append(f'"{thread.getName()}" {thread.getState()}')
        frames = str(texts.toString(entry.getValue()))[1:-1]
        dump += [f"    at {frame}" for frame in frames.split(", ") if frame]
    return "\n".join(dump)
