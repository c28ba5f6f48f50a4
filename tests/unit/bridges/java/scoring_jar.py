"""A scoring-code jar laid out as its vendor's exporter does it, compiled from a few lines."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

from polyhost.bridges.java.jars import class_path

PROVIDER = """
package PACKAGE;
import com.datarobot.prediction.*;
import java.util.*;

public class Provider implements SERVICE {
  public double score(Row row) { throw new UnsupportedOperationException(); }
  public Map<String, Double> classificationScore(Row row) { return null; }
  public String[] get_double_predictors() { return new String[0]; }
  public String[] get_string_predictors() { return new String[0]; }
}
"""
MODEL = """
package PACKAGE;
import com.datarobot.prediction.*;
import java.util.*;

public class KINDPredictorImpl implements IKINDPredictor {
  private KINDPredictorImpl(SERVICE service) {}

  BODY

  public String getModelId() { return "tiny"; }
  @SuppressWarnings("rawtypes")
  public LinkedHashMap<String, Class> getFeatures() {
    LinkedHashMap<String, Class> features = new LinkedHashMap<>();
    features.put("n", Double.class);
    features.put("t", String.class);
    return features;
  }
  public Class<?> getPredictorClass() { return getClass(); }
  public ExplanationParams getDefaultPredictionExplanationParams() { return null; }
  public Map<String, String> getModelInfo() { return Map.of(); }
  public Event<KINDScoreEventInfo> getScoreEvent() { return null; }
  public ANSWER score(Iterable<?> row) { throw new UnsupportedOperationException(); }
  public Score<BOXED> scoreWithExplanations(Map<String, ?> row) { return null; }
  public Score<BOXED> scoreWithExplanations(Iterable<?> row) { return null; }
  public Score<BOXED> scoreWithExplanations(Map<String, ?> r, ExplanationParams p) { return null; }
  public Score<BOXED> scoreWithExplanations(Iterable<?> r, ExplanationParams p) { return null; }
}
"""
# The score tells what the cells were: absent 0, a number itself, a text 10 and its length.
SUM = """
  private static double value(Object cell) {
    if (cell == null) return 0;
    return cell instanceof String ? 10 + ((String) cell).length() : (Double) cell;
  }
  public double score(Map<String, ?> row) {
    return OFFSET + value(row.get("n")) + 100 * value(row.get("t"));
  }
"""
# The first class gets what the others, with a quarter each, leave.
SHARES = """
  public String[] getClassLabels() { return new String[] {LABELS}; }
  public Map<String, Double> score(Map<String, ?> row) {
    String[] labels = getClassLabels();
    Map<String, Double> answer = new HashMap<>();
    for (String label : labels) answer.put(label, 0.25);
    answer.put(labels[0], 1 - 0.25 * (labels.length - 1));
    return answer;
  }
"""


def regression(jar: Path, offset: int = 0) -> Path:
    """A regression model which reads ``n`` (a number) and ``t`` (a text)."""
    words = {
        "KIND": "Regression",
        "SERVICE": "Predictor",
        "BOXED": "Double",
        "ANSWER": "double",
        "OFFSET": str(offset),
    }
    return _build(jar, MODEL.replace("BODY", SUM), words)


def classifier(jar: Path, *labels: str) -> Path:
    """A model of these classes."""
    words = {
        "KIND": "Classification",
        "SERVICE": "MulticlassPredictor",
        "BOXED": "Map<String, Double>",
        "ANSWER": "Map<String, Double>",
        "LABELS": ", ".join(f'"{label}"' for label in labels),
    }
    return _build(jar, MODEL.replace("BODY", SHARES), words)


def _build(jar: Path, model: str, words: dict[str, str]) -> Path:
    sources = jar.parent / f"{jar.stem}-sources"
    sources.mkdir(parents=True)
    words = {**words, "PACKAGE": "tiny"}
    for name, text in ((f"{words['KIND']}PredictorImpl", model), ("Provider", PROVIDER)):
        for word, value in words.items():
            text = text.replace(word, value)
        (sources / f"{name}.java").write_text(text, encoding="utf-8")
    _compile(sources)
    with zipfile.ZipFile(jar, "w") as archive:
        for compiled in sorted(sources.rglob("*.class")):
            archive.write(compiled, compiled.relative_to(sources))
        service = f"META-INF/services/com.datarobot.prediction.{words['SERVICE']}"
        archive.writestr(service, "tiny.Provider\n")
    return jar


def _compile(sources: Path) -> None:
    classpath = str(class_path()[0])
    files = [str(path) for path in sorted(sources.glob("*.java"))]
    command = ["javac", "-proc:none", "-d", str(sources), "-cp", classpath, *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
