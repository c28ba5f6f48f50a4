/**
 * What a model's author sees: the hooks a model may define, and the tables, requests and replies
 * that go through them.
 *
 * <p>Start at {@link io.polyhost.Hooks}.
 */
package io.polyhost;
