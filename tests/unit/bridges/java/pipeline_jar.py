"""A stand-in for Driverless AI's runtime: its classes' names, and one text file as a pipeline.

The file's first line names the outputs; the inputs are ``n``, a number, and ``t``, a text, and
after the line ``more`` also a whole number, a boolean and a time. Loaded with prediction intervals
it has two more outputs.
"""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

SOURCES = {
    "lic.LicenseException": """
package ai.h2o.mojos.runtime.lic;
public class LicenseException extends Exception {
  public LicenseException(String message) { super(message + "\\nand many words more"); }
}
""",
    "frame.MojoColumn": """
package ai.h2o.mojos.runtime.frame;
public class MojoColumn {
  public enum Type { Float64 { }, Str { }, Int32 { }, Bool { }, Time64 { } }
}
""",
    "frame.MojoFrameMeta": """
package ai.h2o.mojos.runtime.frame;
public class MojoFrameMeta {
  final String[] names;
  public MojoFrameMeta(String... names) { this.names = names; }
  public String[] getColumnNames() { return names; }
  public MojoColumn.Type[] getColumnTypes() {
    return java.util.Arrays.copyOf(MojoColumn.Type.values(), names.length);
  }
}
""",
    "frame.MojoRowBuilder": """
package ai.h2o.mojos.runtime.frame;
public class MojoRowBuilder {
  double n = Double.NaN;
  double more;
  String t;
  public MojoRowBuilder setValue(int i, String text) {
    switch (i) {
      case 0: n = text.isEmpty() ? Double.NaN : Double.parseDouble(text); break;
      case 1: t = text; break;
      case 2: more += 10 * Integer.parseInt(text); break;
      case 3: more += text.equals("true") ? 100 : 0; break;
      default: more += java.sql.Timestamp.valueOf(text).toLocalDateTime().getSecond() * 1000;
    }
    return this;
  }
}
""",
    "frame.MojoFrame": """
package ai.h2o.mojos.runtime.frame;
public class MojoFrame {
  final Object[] columns;
  public MojoFrame(Object... columns) { this.columns = columns; }
  public int getNcols() { return columns.length; }
  public Object getColumnData(int i) { return columns[i]; }
}
""",
    "frame.MojoFrameBuilder": """
package ai.h2o.mojos.runtime.frame;
import java.util.*;
public class MojoFrameBuilder {
  final List<MojoRowBuilder> rows = new ArrayList<>();
  public MojoRowBuilder getMojoRowBuilder() { return new MojoRowBuilder(); }
  public MojoRowBuilder addRow(MojoRowBuilder row) { rows.add(row); return new MojoRowBuilder(); }
  public MojoFrame toMojoFrame() {
    double[] values = new double[rows.size()];
    for (int i = 0; i < values.length; i++) {
      MojoRowBuilder row = rows.get(i);
      values[i] = row.n + (row.t == null ? 0 : row.t.length()) + row.more;
    }
    return new MojoFrame(values);
  }
}
""",
    "MojoPipeline": """
package ai.h2o.mojos.runtime;
import ai.h2o.mojos.runtime.frame.*;
import ai.h2o.mojos.runtime.lic.LicenseException;
import java.nio.file.*;
public class MojoPipeline {
  private final String[] outputs;
  private final String[] inputs;
  private MojoPipeline(String[] outputs, String[] inputs) {
    this.outputs = outputs;
    this.inputs = inputs;
  }
  public static MojoPipeline loadFrom(String path) throws Exception { return load(path, false); }
  public static MojoPipeline load(String path, boolean intervals) throws Exception {
    String[] lines = Files.readString(Path.of(path)).trim().split("\\n");
    String names = lines[0] + (intervals ? " price.lower price.upper" : "");
    String inputs = lines.length > 1 ? "n t i b d" : "n t";
    String file = System.getProperty("ai.h2o.mojos.runtime.license.file");
    String given = System.getenv("DRIVERLESS_AI_LICENSE_KEY");
    boolean beside = file != null && Files.readString(Path.of(file)).equals("good");
    if (!beside && !"good".equals(given)) throw new LicenseException("no licence");
    return new MojoPipeline(names.split(" "), inputs.split(" "));
  }
  public MojoFrameMeta getInputMeta() { return new MojoFrameMeta(inputs); }
  public MojoFrameMeta getOutputMeta() { return new MojoFrameMeta(outputs); }
  public MojoFrameBuilder getInputFrameBuilder() { return new MojoFrameBuilder(); }
  public MojoFrame transform(MojoFrame frame) {
    double[] values = (double[]) frame.getColumnData(0);
    if (outputs.length == 1) return new MojoFrame(values);
    if (outputs[1].equals("price.lower")) {
      double[] lower = values.clone(), upper = values.clone();
      for (int i = 0; i < values.length; i++) { lower[i] -= 1; upper[i] += 2; }
      return new MojoFrame(values, lower, upper);
    }
    Object[] columns = new Object[outputs.length];
    for (int i = 0; i < columns.length; i++) {
      float[] column = new float[values.length];
      java.util.Arrays.fill(column, i == 0 ? 0.5f : 0.5f / (outputs.length - 1));
      columns[i] = column;
    }
    return new MojoFrame(columns);
  }
}
""",
    "api.PipelineConfig": """
package ai.h2o.mojos.runtime.api;
public class PipelineConfig {
  final boolean intervals;
  PipelineConfig(boolean intervals) { this.intervals = intervals; }
  public static Builder builder() { return new Builder(); }
  public static class Builder {
    private boolean intervals;
    public Builder withPredictionInterval(boolean on) { intervals = on; return this; }
    public PipelineConfig build() { return new PipelineConfig(intervals); }
  }
}
""",
    "api.MojoPipelineService": """
package ai.h2o.mojos.runtime.api;
public class MojoPipelineService {
  public static ai.h2o.mojos.runtime.MojoPipeline loadPipeline(
      java.io.File file, PipelineConfig config) throws Exception {
    return ai.h2o.mojos.runtime.MojoPipeline.load(file.getPath(), config.intervals);
  }
}
""",
}


def build(folder: Path) -> Path:
    """Compile it; the jar."""
    files = []
    for name, text in SOURCES.items():
        path = folder / "sources" / f"{name.rpartition('.')[2]}.java"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        files.append(str(path))
    classes = folder / "classes"
    command = ["javac", "-proc:none", "-d", str(classes), *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    jar = folder / "mojo2-runtime.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        for compiled in sorted(classes.rglob("*.class")):
            archive.write(compiled, compiled.relative_to(classes))
    return jar
