# Makes models with caret, and the predictions that caret itself gives for them.
#
#   Rscript make.R SCENARIO... OUT_DIR
#
# writes OUT_DIR/model/ (the code dir), OUT_DIR/input.csv and OUT_DIR/expected.csv; several scenarios,
# or "all", go to a folder each. The data sets come with R (package datasets) and with MASS, which is
# part of every R installation.

suppressPackageStartupMessages(library(caret))

arguments <- commandArgs(trailingOnly = TRUE)
scenarios <- head(arguments, -1)
out_dir <- tail(arguments, 1)
once <- trainControl(method = "none", classProbs = TRUE)

makers <- list(
  regression = function() {
    rows <- MASS::Boston
    model <- train(medv ~ ., rows, method = "rf", ntree = 50, tuneGrid = data.frame(mtry = 4),
                   trControl = trainControl(method = "none"))
    input <- rows[setdiff(names(rows), "medv")]
    list(model = model, input = input, expected = function(read) {
      data.frame(Predictions = unname(predict(model, read)))
    })
  },
  binary = function() {
    model <- train(type ~ ., MASS::Pima.tr, method = "glm", trControl = once)
    input <- MASS::Pima.te[setdiff(names(MASS::Pima.te), "type")]
    metadata <- c("targetType: binary", "inferenceModel:", "  positiveClassLabel: \"Yes\"",
                  "  negativeClassLabel: \"No\"")
    list(model = model, input = input, metadata = metadata, expected = function(read) {
      predict(model, read, type = "prob")
    })
  },
  multiclass = function() {
    model <- train(Species ~ ., iris, method = "rf", ntree = 50, tuneGrid = data.frame(mtry = 2),
                   trControl = once)
    metadata <- c("targetType: multiclass", "inferenceModel:", "  classLabels:",
                  paste("    -", levels(iris$Species)))
    list(model = model, input = iris[1:4], metadata = metadata, expected = function(read) {
      predict(model, read, type = "prob")
    })
  }
)
if (identical(scenarios, "all")) scenarios <- names(makers)
unknown <- setdiff(scenarios, names(makers))
if (length(unknown)) {
  stop("unknown scenario ", unknown[[1]], ": expected ", paste(names(makers), collapse = ", "))
}

write_made <- function(made, scenario, folder) {
  code_dir <- file.path(folder, "model")
  dir.create(code_dir, recursive = TRUE, showWarnings = FALSE)
  saveRDS(made$model, file.path(code_dir, "model.rds"))
  about <- c(paste0("name: caret-", scenario), "type: inference",
             if (is.null(made$metadata)) paste("targetType:", scenario) else made$metadata)
  writeLines(about, file.path(code_dir, "model-metadata.yaml"))

  input_csv <- file.path(folder, "input.csv")
  write.csv(made$input, input_csv, row.names = FALSE, quote = FALSE)
  read <- read.csv(input_csv, check.names = FALSE)
  expected <- made$expected(read)
  expected[] <- lapply(expected, function(column) sprintf("%.17g", column))
  write.csv(expected, file.path(folder, "expected.csv"), row.names = FALSE, quote = FALSE)
}

for (scenario in scenarios) {
  set.seed(20240229)
  folder <- if (length(scenarios) == 1) out_dir else file.path(out_dir, scenario)
  write_made(makers[[scenario]](), scenario, folder)
}
