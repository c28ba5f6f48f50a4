"""A jar with a predictor class such as DRUM's users write, compiled from source."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

from polyhost.bridges.java.jars import class_path

CLASS = "com.example.Model"
SOURCE = """
package com.example;

import com.datarobot.drum.BasePredictor;
import java.nio.charset.StandardCharsets;
import java.util.*;

public class Model extends BasePredictor {
  private Map<String, Object> params;

  public Model(String name) { super(name); }

  @Override
  public void configure(Map<String, Object> given) {
    if ("yes".equals(System.getProperty("fail.configure"))) throw new IllegalStateException("no");
    params = given;
  }

  @Override
  public String predict(byte[] body) {
    String[] lines = new String(body, StandardCharsets.UTF_8).split("\\n");
    if (lines[0].startsWith("raise")) throw new IllegalStateException("asked to fail");
    if (lines[0].startsWith("null")) return null;
    if (lines[0].startsWith("empty")) return "";
    StringBuilder out = new StringBuilder(header());
    for (int i = 1; i < lines.length; i++) out.append("\\n").append(row(lines[i].split(",")));
    return out.append("\\n").toString();
  }

  private String header() {
    if (params.get("classLabels") != null) {
      return String.join(",", (String[]) params.get("classLabels"));
    }
    Object positive = params.get("positiveClassLabel");
    return positive == null ? "Predictions" : positive + "," + params.get("negativeClassLabel");
  }

  private String row(String[] cells) {
    switch ((String) params.get("target_type")) {
      case "binary": return "0.7,0.3";
      case "multiclass": return "0.5,0.25,0.25";
      case "textgeneration": return "said " + cells[0];
      default: return String.valueOf(2 * Double.parseDouble(cells[0]));
    }
  }

  @Override
  @SuppressWarnings("unchecked")
  public <T> T predictUnstructured(byte[] data, String mimetype, String charset,
      Map<String, String> query) throws Exception {
    switch (query.getOrDefault("ret_mode", "text")) {
      case "binary": return (T) new byte[] {0, 0, 0, (byte) data.length};
      case "none": return null;
      case "wrong": return (T) Integer.valueOf(1);
      case "params": return (T) new TreeMap<>(params).toString();
      case "types": return (T) types();
      case "raise": throw new IllegalStateException("asked to fail");
      default: return (T) (mimetype + "|" + charset + "|" + new String(data, charset));
    }
  }

  private String types() {
    TreeMap<String, String> types = new TreeMap<>();
    for (Map.Entry<String, Object> entry : params.entrySet()) {
      Object value = entry.getValue();
      if (value != null && !(value instanceof String)) {
        types.put(entry.getKey(), value.getClass().getSimpleName());
      }
    }
    return types.toString();
  }
}
"""


def build(folder: Path, jar: Path, source: str = SOURCE) -> Path:
    """Compile the source in a folder and put its classes in a jar."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Model.java").write_text(source, encoding="utf-8")
    command = ["javac", "-proc:none", "-d", str(folder), "-cp", str(class_path()[0])]
    done = subprocess.run(
        [*command, str(folder / "Model.java")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(jar, "w") as archive:
        for compiled in sorted(folder.rglob("*.class")):
            archive.write(compiled, compiled.relative_to(folder))
    return jar
