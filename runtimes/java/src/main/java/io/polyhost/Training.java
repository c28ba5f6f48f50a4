package io.polyhost;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a model is trained on. */
public final class Training {
  private final Table rows;
  private final Table target;
  private final Table weights;
  private final List<String> classOrder;
  private final Map<String, Object> parameters;

  /** {@code target}, {@code weights} and {@code classOrder} are null where there are none. */
  public Training(
      Table rows,
      Table target,
      Table weights,
      String[] classOrder,
      Map<String, Object> parameters) {
    this.rows = rows;
    this.target = target;
    this.weights = weights;
    this.classOrder = classOrder == null ? null : List.of(classOrder);
    this.parameters = Collections.unmodifiableMap(new LinkedHashMap<>(parameters));
  }

  /** The rows, without the target. */
  public Table rows() {
    return rows;
  }

  /** The target, one column; null for a model that takes none. */
  public Table target() {
    return target;
  }

  /** A weight for each row, one column; null where none were given. */
  public Table weights() {
    return weights;
  }

  /** Class labels, for {@code binary} the positive one first; null where there are no classes. */
  public List<String> classOrder() {
    return classOrder;
  }

  /** What the caller sets: text, {@code Long}, {@code Double}, {@code Boolean} or null by name. */
  public Map<String, Object> parameters() {
    return parameters;
  }
}
