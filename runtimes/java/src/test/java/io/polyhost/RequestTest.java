package io.polyhost;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

class RequestTest {
  private static final String[] NONE = {};

  @Test
  void textIsEncodedWithItsCharset() {
    Request request = new Request("ü", null, "text/plain", "latin1", NONE, NONE);
    assertThat(request.isText()).isTrue();
    assertThat(request.bytes()).containsExactly(0xfc);
  }

  @Test
  void bytesAreDecodedAsUtf8WhereNothingElseIsSaid() {
    byte[] utf8 = {(byte) 0xc3, (byte) 0xbc};
    assertThat(new Request(null, utf8, null, null, NONE, NONE).text()).isEqualTo("ü");
  }

  @Test
  void ofARepeatedNameTheFirstValueCounts() {
    String[] query = {"b", "1", "a", "2", "b", "3"};
    Request request = new Request("", null, null, null, query, NONE);
    assertThat(request.query()).isEqualTo(Map.of("b", "1", "a", "2"));
    assertThat(request.headers()).isEmpty();
  }

  @Test
  void aReplyKeepsWhatItIsGiven() {
    Reply reply = Reply.text("x").withMimetype("application/json").withCharset("utf8");
    assertThat(reply.text()).isEqualTo("x");
    assertThat(reply.mimetype()).isEqualTo("application/json");
    assertThat(reply.charset()).isEqualTo("utf8");
    assertThat(Reply.empty().text()).isNull();
    assertThat(Reply.bytes(new byte[] {1}).bytes()).containsExactly(1);
  }

  @Test
  void onlyABinaryTargetHasAPositiveLabel() {
    Target binary = new Target("binary", "yes", "no");
    assertThat(binary.positiveLabel()).isEqualTo("yes");
    assertThat(binary.negativeLabel()).isEqualTo("no");
    assertThat(new Target("multiclass", "a", "b").positiveLabel()).isNull();
  }
}
