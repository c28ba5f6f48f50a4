package io.polyhost;

import java.util.List;

/** What the model is asked for: its target type and class labels. */
public final class Target {
  private final String type;
  private final List<String> labels;

  /** Labels are in the order of the request: for {@code binary}, positive first. */
  public Target(String type, String... labels) {
    this.type = type;
    this.labels = List.of(labels);
  }

  /** The target type as polyhost spells it: {@code regression}, {@code binary}, and so on. */
  public String type() {
    return type;
  }

  /** Class labels; empty for a model that has none. */
  public List<String> labels() {
    return labels;
  }

  /** The label whose probability is reported, for {@code binary}; else null. */
  public String positiveLabel() {
    return isBinary() ? labels.get(0) : null;
  }

  /** The other label, for {@code binary}; else null. */
  public String negativeLabel() {
    return isBinary() ? labels.get(1) : null;
  }

  private boolean isBinary() {
    return type.equals("binary") && labels.size() == 2;
  }
}
