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
        System.arraycopy(answer, model.firstOutput(), out, row * model.width(), model.width());
      } catch (PredictException wrong) {
        throw PredictorException.schema("row " + (row + 1) + ": " + wrong.getMessage());
      }
    }
  }

  private double[] offsets(Table rows) {
    return model.offset() == null ? null : rows.numbers(model.offset());
  }

  /** A row as H2O takes it: texts and doubles, and nothing for what is missing. */
  private static RowData data(Table rows, int row) {
    RowData data = new RowData();
    for (int i = 0; i < rows.names().size(); i++) {
      Column column = rows.columns().get(i);
      if (!column.isMissing(row)) {
        boolean isText = column.type() == Column.Type.TEXT;
        data.put(rows.names().get(i), isText ? column.text(row) : (Object) column.number(row));
      }
    }
    return data;
  }
}
