package io.polyhost.load;

import io.polyhost.Hooks;
import io.polyhost.PredictorException;
import io.polyhost.Reply;
import io.polyhost.Request;
import io.polyhost.Table;
import io.polyhost.Target;
import io.polyhost.Training;
import java.lang.reflect.Method;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;

/** The hooks of one model, with the model they are given. */
public final class GuestHooks {
  private static final Map<String, String> METHODS =
      Map.of(
          "init", "init",
          "load_model", "loadModel",
          "read_input_data", "readInputData",
          "transform", "transform",
          "score", "score",
          "post_process", "postProcess",
          "score_unstructured", "scoreUnstructured",
          "fit", "fit");
  private static final List<String> CLASSES_OF_A_JAR = List.of("Custom", "custom.Custom");

  private final Hooks hooks;
  private Object model;

  /** Hooks that exist already. */
  public GuestHooks(Hooks hooks) {
    this.hooks = hooks;
  }

  /** Compile a source and make its public class, which implements {@link Hooks}. */
  public static GuestHooks ofSource(Path source, ModelLoader loader) throws Exception {
    return make(SourceCompiler.compile(source, loader), source);
  }

  /**
   * Make the hooks of a jar that is in the loader: the one service of type {@link Hooks} it
   * declares, else its class {@code Custom} or {@code custom.Custom}.
   */
  public static GuestHooks ofJar(Path jar, ModelLoader loader) throws Exception {
    List<Class<?>> found = services(jar, loader);
    for (String name : CLASSES_OF_A_JAR) {
      if (found.isEmpty()) {
        findClass(name, loader).ifPresent(found::add);
      }
    }
    if (found.size() != 1) {
      throw PredictorException.load(
          String.format(
              "%s holds %d classes with hooks: expected one, named in"
                  + " META-INF/services/%s or called Custom",
              jar.getFileName(), found.size(), Hooks.class.getName()));
    }
    return make(found.get(0), jar);
  }

  private static List<Class<?>> services(Path jar, ModelLoader loader) throws PredictorException {
    try {
      return ServiceLoader.load(Hooks.class, loader).stream()
          .map(ServiceLoader.Provider::type)
          .collect(Collectors.toCollection(ArrayList::new));
    } catch (ServiceConfigurationError broken) {
      throw PredictorException.load(
          jar.getFileName() + " names hooks that cannot be loaded: " + broken.getMessage(), broken);
    }
  }

  private static Optional<Class<?>> findClass(String name, ModelLoader loader) {
    try {
      return Optional.of(Class.forName(name, false, loader));
    } catch (ClassNotFoundException absent) {
      return Optional.empty();
    }
  }

  private static GuestHooks make(Class<?> type, Path file) throws Exception {
    if (!Hooks.class.isAssignableFrom(type)) {
      throw PredictorException.load(
          String.format(
              "class %s of %s holds no hooks: expected it to implement %s",
              type.getName(), file.getFileName(), Hooks.class.getName()));
    }
    try {
      return within(
          type.getClassLoader(), () -> new GuestHooks((Hooks) type.getConstructor().newInstance()));
    } catch (NoSuchMethodException | IllegalAccessException | InstantiationException unfit) {
      throw PredictorException.load(
          String.format(
              "class %s of %s cannot be made: expected a public class with a public constructor"
                  + " that takes nothing",
              type.getName(), file.getFileName()));
    }
  }

  /** Names of the hooks that the model defines, spelled as polyhost spells them. */
  public String[] defined() {
    return METHODS.keySet().stream().filter(this::defines).sorted().toArray(String[]::new);
  }

  private boolean defines(String hook) {
    String name = METHODS.get(hook);
    Method declared =
        Arrays.stream(Hooks.class.getMethods())
            .filter(method -> method.getName().equals(name))
            .findFirst()
            .orElseThrow();
    try {
      Method actual = hooks.getClass().getMethod(name, declared.getParameterTypes());
      return actual.getDeclaringClass() != Hooks.class;
    } catch (NoSuchMethodException impossible) {
      throw new IllegalStateException(impossible); // the interface has it
    }
  }

  /** Give the hooks a model that was loaded without them: the artifact's. */
  public void useModel(Object artifact) {
    this.model = artifact;
  }

  /** Call {@code init}. */
  public void init(String codeDir) throws Exception {
    call(
        () -> {
          hooks.init(Path.of(codeDir));
          return null;
        });
  }

  /** Call {@code load_model} and keep the model; false when it returned null. */
  public boolean loadModel(String codeDir) throws Exception {
    model = call(() -> hooks.loadModel(Path.of(codeDir)));
    return model != null;
  }

  /** Call {@code read_input_data}. */
  public Table readInputData(byte[] body) throws Exception {
    return table("read_input_data", () -> hooks.readInputData(body));
  }

  /** Call {@code transform}. */
  public Table transform(Table rows) throws Exception {
    return table("transform", () -> hooks.transform(rows, model));
  }

  /** Call {@code score}. */
  public Table score(Table rows, Target target) throws Exception {
    return table("score", () -> hooks.score(rows, model, target));
  }

  /** Call {@code post_process}. */
  public Table postProcess(Table predictions) throws Exception {
    return table("post_process", () -> hooks.postProcess(predictions, model));
  }

  /** Call {@code score_unstructured}; null becomes an empty reply. */
  public Reply scoreUnstructured(Request request) throws Exception {
    Reply reply = call(() -> hooks.scoreUnstructured(model, request));
    return reply == null ? Reply.empty() : reply;
  }

  /** Call {@code fit}. */
  public void fit(Training training, String outputDir) throws Exception {
    call(
        () -> {
          hooks.fit(training, Path.of(outputDir));
          return null;
        });
  }

  private Table table(String hook, Callable<Table> body) throws Exception {
    Table result = call(body);
    if (result == null) {
      throw PredictorException.output(hook + " returned null: expected a Table");
    }
    return result;
  }

  private <T> T call(Callable<T> body) throws Exception {
    return within(hooks.getClass().getClassLoader(), body);
  }

  /** Run with the model's loader as the thread's own, which service look-ups go by. */
  static <T> T within(ClassLoader loader, Callable<T> body) throws Exception {
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    thread.setContextClassLoader(loader);
    try {
      return body.call();
    } finally {
      thread.setContextClassLoader(before);
    }
  }
}
