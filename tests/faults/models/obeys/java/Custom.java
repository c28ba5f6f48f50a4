import io.polyhost.Hooks;
import io.polyhost.Table;
import io.polyhost.Target;
import java.io.File;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import sun.misc.Unsafe;

/** Does what the column order of each row says, and answers a + 1 for it. */
public class Custom implements Hooks {

  private static final byte[] GARBAGE =
      "this is no frame at all".repeat(10).getBytes(StandardCharsets.UTF_8);

  private Unsafe unsafe;

  @Override
  public Object loadModel(Path codeDir) throws Exception {
    Field field = Unsafe.class.getDeclaredField("theUnsafe");
    field.setAccessible(true);
    unsafe = (Unsafe) field.get(null);
    return 1.0;
  }

  @Override
  public Table score(Table rows, Object model, Target target) throws Exception {
    double[] answers = rows.numbers("a");
    String[] orders = rows.texts("order");
    for (int row = 0; row < answers.length; row++) {
      answers[row] += (double) model;
      if (orders[row].equals("rows")) {
        answers[row] = rows.rows();
      } else {
        obey(orders[row]);
      }
    }
    return Table.of("Predictions", answers);
  }

  private void obey(String order) throws Exception {
    switch (order) {
      case "none" -> {}
      case "refuse" -> throw new IllegalArgumentException("asked to refuse");
      case "exit" -> System.exit(3);
      case "segfault" -> unsafe.putInt(0, 1);
      case "hang" -> hang();
      case "sleep" -> Thread.sleep(500);
      case "grow" -> grow();
      case "fork" -> new ProcessBuilder("sleep", "600").start();
      case "split" -> {} // Java cannot
      case "daemon" -> new ProcessBuilder("setsid", "--fork", "sleep", "600").start().waitFor();
      case "flood" -> flood();
      case "garbage" -> garbage();
      default -> throw new IllegalArgumentException(order);
    }
  }

  private static void hang() {
    while (true) {
      Thread.onSpinWait();
    }
  }

  private void grow() throws InterruptedException {
    for (int i = 0; i < 25; i++) {
      // Not of the heap, nor of direct buffers: those have limits of the JVM's own.
      unsafe.setMemory(unsafe.allocateMemory(64 << 20), 64 << 20, (byte) 1);
      Thread.sleep(20);
    }
    Thread.sleep(60_000);
  }

  private static void flood() {
    String line = "x".repeat(1000);
    for (int i = 0; i < 20_000; i++) {
      System.out.println(line);
    }
  }

  private void garbage() throws Exception {
    long place = unsafe.objectFieldOffset(FileDescriptor.class.getDeclaredField("fd"));
    for (File file : new File("/proc/self/fd").listFiles()) {
      try {
        if (Files.readSymbolicLink(file.toPath()).toString().startsWith("socket:")) {
          FileDescriptor descriptor = new FileDescriptor();
          unsafe.putInt(descriptor, place, Integer.parseInt(file.getName()));
          new FileOutputStream(descriptor).write(GARBAGE);
        }
      } catch (IOException gone) {
        System.err.println(file + ": " + gone);
      }
    }
  }
}
