/** Models that predict by themselves: H2O's MOJO and POJO, and scoring-code jars. */
package io.polyhost.builtin;
