package io.polyhost;

import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** The body of an unstructured request, as text or as bytes, and what was said beside it. */
public final class Request {
  private final String text;
  private final byte[] bytes;
  private final String mimetype;
  private final String charset;
  private final Map<String, String> query;
  private final Map<String, String> headers;

  /**
   * Of {@code text} and {@code bytes} exactly one is not null. {@code query} and {@code headers}
   * hold names and values in turn; of a repeated name the first value counts.
   */
  public Request(
      String text,
      byte[] bytes,
      String mimetype,
      String charset,
      String[] query,
      String[] headers) {
    this.text = text;
    this.bytes = bytes;
    this.mimetype = mimetype;
    this.charset = charset;
    this.query = firstOfEach(query);
    this.headers = firstOfEach(headers);
  }

  /** True when the body came as text. */
  public boolean isText() {
    return text != null;
  }

  /** The body as text; a binary body is decoded with its charset, else as UTF-8. */
  public String text() {
    return isText() ? text : new String(bytes, charsetOrUtf8());
  }

  /** The body as bytes; a text is encoded with its charset, else as UTF-8. */
  public byte[] bytes() {
    return isText() ? text.getBytes(charsetOrUtf8()) : bytes;
  }

  /** The type of the body, without parameters; null when none was given. */
  public String mimetype() {
    return mimetype;
  }

  /** The charset of the body; null when none was given. */
  public String charset() {
    return charset;
  }

  /** The query parameters of the request. */
  public Map<String, String> query() {
    return query;
  }

  /** The headers of the request; empty when it did not come over HTTP. */
  public Map<String, String> headers() {
    return headers;
  }

  private Charset charsetOrUtf8() {
    return charset == null ? StandardCharsets.UTF_8 : Charset.forName(charset);
  }

  private static Map<String, String> firstOfEach(String[] pairs) {
    Map<String, String> map = new LinkedHashMap<>();
    for (int i = 0; i < pairs.length; i += 2) {
      map.putIfAbsent(pairs[i], pairs[i + 1]);
    }
    return Collections.unmodifiableMap(map);
  }
}
