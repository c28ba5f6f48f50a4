package io.polyhost.builtin;

import hex.ModelCategory;
import hex.genmodel.GenModel;

/** A model in the form of a POJO: twice the number and the position of the level, squared. */
public class TinyPojo extends GenModel {
  private static final long serialVersionUID = 1L;
  private static final String[] NAMES = {"n", "sex"};
  private static final String[][] DOMAINS = {null, {"f", "sex.m", "1"}, null};

  /** As H2O makes it. */
  public TinyPojo() {
    super(NAMES, DOMAINS, "y");
  }

  @Override
  public ModelCategory getModelCategory() {
    return ModelCategory.Regression;
  }

  @Override
  public String getUUID() {
    return "tiny";
  }

  @Override
  public double[] score0(double[] row, double[] answer) {
    answer[0] += 2 * row[0] + row[1] * row[1]; // shows an answer that was not cleared
    row[0] = Double.NaN; // as models that fill in means do
    return answer;
  }
}
