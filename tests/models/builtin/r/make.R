# Makes a model with caret, and the predictions that caret itself gives for it.
#
#   Rscript make.R SCENARIO OUT_DIR
#
# writes OUT_DIR/model/ (the code dir), OUT_DIR/input.csv and OUT_DIR/expected.csv. The data sets
# come with R (package datasets) and with MASS, which is part of every R installation.

suppressPackageStartupMessages(library(caret))

arguments <- commandArgs(trailingOnly = TRUE)
scenario <- arguments[[1]]
out_dir <- arguments[[2]]
set.seed(20240229)
once <- trainControl(method = "none", classProbs = TRUE)

make <- switch(scenario,
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
  },
  stop("unknown scenario ", scenario, ": expected regression, binary or multiclass")
)

made <- make()
code_dir <- file.path(out_dir, "model")
dir.create(code_dir, recursive = TRUE, showWarnings = FALSE)
saveRDS(made$model, file.path(code_dir, "model.rds"))
about <- c(paste0("name: caret-", scenario), "type: inference",
           if (is.null(made$metadata)) paste("targetType:", scenario) else made$metadata)
writeLines(about, file.path(code_dir, "model-metadata.yaml"))

input_csv <- file.path(out_dir, "input.csv")
write.csv(made$input, input_csv, row.names = FALSE, quote = FALSE)
read <- read.csv(input_csv, check.names = FALSE)
expected <- made$expected(read)
expected[] <- lapply(expected, function(column) sprintf("%.17g", column))
write.csv(expected, file.path(out_dir, "expected.csv"), row.names = FALSE, quote = FALSE)
