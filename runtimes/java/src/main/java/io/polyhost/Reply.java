package io.polyhost;

/** The answer to an unstructured request: text, bytes or nothing. */
public final class Reply {
  private final String text;
  private final byte[] bytes;
  private final String mimetype;
  private final String charset;

  private Reply(String text, byte[] bytes, String mimetype, String charset) {
    this.text = text;
    this.bytes = bytes;
    this.mimetype = mimetype;
    this.charset = charset;
  }

  /** Answer with a text; {@code text/plain} in UTF-8 unless set otherwise. */
  public static Reply text(String text) {
    return new Reply(text, null, null, null);
  }

  /** Answer with bytes; {@code application/octet-stream} unless set otherwise. */
  public static Reply bytes(byte[] bytes) {
    return new Reply(null, bytes, null, null);
  }

  /** Answer with an empty body. */
  public static Reply empty() {
    return new Reply(null, null, null, null);
  }

  /** The same answer with a type of its own. */
  public Reply withMimetype(String newMimetype) {
    return new Reply(text, bytes, newMimetype, charset);
  }

  /** The same answer with a charset of its own, which a text is then encoded with. */
  public Reply withCharset(String newCharset) {
    return new Reply(text, bytes, mimetype, newCharset);
  }

  /** The text; null when the answer is bytes or empty. */
  public String text() {
    return text;
  }

  /** The bytes; null when the answer is text or empty. */
  public byte[] bytes() {
    return bytes;
  }

  /** The type the hook chose, or null. */
  public String mimetype() {
    return mimetype;
  }

  /** The charset the hook chose, or null. */
  public String charset() {
    return charset;
  }
}
