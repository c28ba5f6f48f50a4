package io.polyhost.builtin;

import hex.genmodel.easy.EasyPredictModelWrapper;
import hex.genmodel.easy.RowData;
import hex.genmodel.easy.exception.PredictException;
import io.polyhost.Column;
import io.polyhost.PredictorException;
import io.polyhost.Table;

/** Scores through H2O's own wrapper: slower, and right for every encoding of categories. */
final class WrapperScorer {
  private final H2oModel model;
  private final EasyPredictModelWrapper wrapper;

  WrapperScorer(H2oModel model) {
    this.model = model;
    this.wrapper =
        new EasyPredictModelWrapper(
            new EasyPredictModelWrapper.Config()
                .setModel(model.modelForThread())
                .setConvertUnknownCategoricalLevelsToNa(true)
                .setConvertInvalidNumbersToNa(true));
  }

  void score(Table rows, double[] out) throws PredictorException {
    double[] offsets = offsets(rows);
    for (int row = 0; row < rows.rows(); row++) {
      try {
        double[] answer = wrapper.predictRaw(data(rows, row), offsets == null ? 0 : offsets[row]);
        model.write(wrapper.m, answer, out, row * model.width());
      } catch (PredictException wrong) {
        throw PredictorException.schema("row " + (row + 1) + ": " + wrong.getMessage());
      }
    }
  }

  private double[] offsets(Table rows) {
    return model.offset() == null ? null : rows.numbers(model.offset());
  }

  /**
   * A row as H2O takes it: texts and doubles. A missing cell is NaN, which the encodings of
   * categories turn into their own code for it; a row without the column would be encoded as
   * nothing that training ever saw.
   */
  private RowData data(Table rows, int row) {
    RowData data = new RowData();
    for (String name : model.columns()) {
      Column column = rows.column(name);
      boolean asText = column.type() == Column.Type.TEXT || model.isCategory(name);
      data.put(
          name, asText && !column.isMissing(row) ? column.text(row) : (Object) column.number(row));
    }
    return data;
  }
}
