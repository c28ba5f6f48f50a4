package io.polyhost.load;

import io.polyhost.PredictorException;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/** Compiles one source file in memory: nothing is written to the model's folder. */
public final class SourceCompiler {
  private static final Pattern PACKAGE =
      Pattern.compile("^\\s*package\\s+([\\w.]+)\\s*;", Pattern.MULTILINE);
  private static final Pattern PUBLIC_CLASS =
      Pattern.compile("^\\s*public\\s+(?:final\\s+)?class\\s+(\\w+)", Pattern.MULTILINE);
  private static final List<String> OPTIONS = List.of("-proc:none", "-nowarn", "-g");

  private SourceCompiler() {}

  /**
   * Compile a source and give its public class. The file may have another name than the class.
   *
   * @param source a file in UTF-8 with one public class
   * @param loader takes the compiled classes; its jars are on the class path of the compiler
   */
  public static Class<?> compile(Path source, ModelLoader loader) throws PredictorException {
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    if (compiler == null) {
      throw PredictorException.runtime(
          String.format(
              "%s cannot be compiled: the Java at %s has no compiler. Install a JDK"
                  + " (Debian: apt-get install openjdk-17-jdk-headless), or point JAVA_HOME at one",
              source.getFileName(), System.getProperty("java.home")));
    }
    String text = read(source);
    String name = publicClass(source, text);
    loader.add(compile(compiler, source, name, text, loader));
    try {
      return Class.forName(name, false, loader);
    } catch (ClassNotFoundException | LinkageError broken) {
      throw PredictorException.load(source.getFileName() + " cannot be linked: " + broken, broken);
    }
  }

  private static String read(Path source) throws PredictorException {
    try {
      return Files.readString(source);
    } catch (IOException broken) {
      throw PredictorException.load("cannot read " + source + " as UTF-8: " + broken, broken);
    }
  }

  /** The public class of the source; where none is to be seen, the compiler will say why. */
  private static String publicClass(Path source, String text) {
    Matcher name = PUBLIC_CLASS.matcher(text);
    Matcher home = PACKAGE.matcher(text);
    String simple =
        name.find() ? name.group(1) : source.getFileName().toString().replaceAll("\\..*$", "");
    return home.find() ? home.group(1) + "." + simple : simple;
  }

  private static Map<String, byte[]> compile(
      JavaCompiler compiler, Path source, String name, String text, ModelLoader loader)
      throws PredictorException {
    DiagnosticCollector<JavaFileObject> problems = new DiagnosticCollector<>();
    StandardJavaFileManager disk =
        compiler.getStandardFileManager(problems, Locale.ROOT, StandardCharsets.UTF_8);
    try (InMemory files = new InMemory(disk)) {
      List<String> options = new ArrayList<>(OPTIONS);
      options.addAll(List.of("-classpath", classPath(loader)));
      JavaFileObject unit = new Source(name, text);
      if (compiler.getTask(null, files, problems, options, null, List.of(unit)).call()) {
        return files.classes();
      }
    } catch (IOException broken) {
      throw PredictorException.load("cannot compile " + source + ": " + broken, broken);
    }
    throw failure(source, problems);
  }

  private static PredictorException failure(
      Path source, DiagnosticCollector<JavaFileObject> problems) {
    StringBuilder lines = new StringBuilder();
    String first = null;
    for (Diagnostic<? extends JavaFileObject> problem : problems.getDiagnostics()) {
      if (problem.getKind() == Diagnostic.Kind.ERROR) {
        String place = source.getFileName() + ":" + problem.getLineNumber();
        first = first == null ? place : first;
        lines.append("\n  ").append(place).append(": ").append(problem.getMessage(Locale.ROOT));
      }
    }
    return PredictorException.compile(source.getFileName() + " does not compile:" + lines, first);
  }

  private static String classPath(ModelLoader loader) {
    List<String> entries = new ArrayList<>();
    entries.add(file(SourceCompiler.class.getProtectionDomain().getCodeSource().getLocation()));
    for (URL jar : loader.getURLs()) {
      entries.add(file(jar));
    }
    entries.add(System.getProperty("java.class.path"));
    return String.join(File.pathSeparator, entries);
  }

  private static String file(URL address) {
    try {
      return Path.of(address.toURI()).toString();
    } catch (URISyntaxException impossible) {
      throw new IllegalArgumentException(impossible); // made from a path by ourselves
    }
  }

  private static final class Source extends SimpleJavaFileObject {
    private final String text;

    Source(String name, String text) {
      super(URI.create("memory:///" + name.replace('.', '/') + ".java"), Kind.SOURCE);
      this.text = text;
    }

    @Override
    public CharSequence getCharContent(boolean ignoreEncodingErrors) {
      return text;
    }
  }

  private static final class Compiled extends SimpleJavaFileObject {
    private final ByteArrayOutputStream code = new ByteArrayOutputStream();

    Compiled(String name) {
      super(URI.create("memory:///" + name.replace('.', '/') + ".class"), Kind.CLASS);
    }

    @Override
    public OutputStream openOutputStream() {
      return code;
    }
  }

  private static final class InMemory extends ForwardingJavaFileManager<JavaFileManager> {
    private final Map<String, Compiled> outputs = new HashMap<>();

    InMemory(JavaFileManager disk) {
      super(disk);
    }

    @Override
    public JavaFileObject getJavaFileForOutput(
        Location location, String name, JavaFileObject.Kind kind, javax.tools.FileObject sibling) {
      return outputs.computeIfAbsent(name, Compiled::new);
    }

    Map<String, byte[]> classes() {
      Map<String, byte[]> classes = new HashMap<>();
      outputs.forEach((name, output) -> classes.put(name, output.code.toByteArray()));
      return classes;
    }
  }
}
