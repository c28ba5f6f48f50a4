package io.polyhost.load;

import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;

/**
 * The class loader of one model: its jars, and the classes compiled from its sources. Two models
 * may hold classes of the same name.
 */
public final class ModelLoader extends URLClassLoader {

  /** Name of every model's loader: by it a stack frame of the model's own code is known. */
  public static final String NAME = "polyhost-model";

  private final Map<String, byte[]> compiled = new HashMap<>();

  /** A loader of these jars. */
  public ModelLoader(Collection<Path> jars) {
    super(NAME, urls(jars), ModelLoader.class.getClassLoader());
  }

  /** Add compiled classes, by their binary names. */
  void add(Map<String, byte[]> classes) {
    compiled.putAll(classes);
  }

  @Override
  protected Class<?> findClass(String name) throws ClassNotFoundException {
    byte[] code = compiled.remove(name);
    return code == null ? super.findClass(name) : defineClass(name, code, 0, code.length);
  }

  private static URL[] urls(Collection<Path> jars) {
    return jars.stream().map(ModelLoader::url).toArray(URL[]::new);
  }

  private static URL url(Path jar) {
    try {
      return jar.toUri().toURL();
    } catch (MalformedURLException impossible) {
      throw new IllegalArgumentException(impossible); // a file's address is always well formed
    }
  }
}
