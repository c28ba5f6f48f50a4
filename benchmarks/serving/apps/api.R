# The R peer: plumber over a caret model, with no check of any kind. Rscript api.R MODEL PORT

arguments <- commandArgs(trailingOnly = TRUE)
suppressPackageStartupMessages(library(caret))
model <- readRDS(arguments[[1]])

predict_rows <- function(req) {
  table <- jsonlite::fromJSON(rawToChar(req$bodyRaw), simplifyVector = FALSE)$dataframe_split
  rows <- as.data.frame(do.call(rbind, lapply(table$data, as.numeric)))
  names(rows) <- unlist(table$columns)
  list(predictions = predict(model, rows, type = "prob"))
}

api <- plumber::pr()
api <- plumber::pr_post(
  api, "/predict/", predict_rows, serializer = plumber::serializer_unboxed_json(digits = 17),
  parsers = "octet"
)
plumber::pr_run(api, host = "127.0.0.1", port = as.integer(arguments[[2]]), docs = FALSE, quiet = TRUE)
