"""Models of any language in Spark: as a pandas or Arrow UDF, and over whole DataFrames.

    predict = polyhost.spark.predict_udf("model", result_type="double")
    frame.withColumn("risk", predict(struct("age", "income")))

Executors run polyhost's own workers; each machine needs polyhost and the model's runtime.
"""

from __future__ import annotations

from polyhost.spark.frames import map_in_arrow, score_frame
from polyhost.spark.udf import predict_udf

__all__ = ["map_in_arrow", "predict_udf", "score_frame"]
