# Make a caret model and a linear model, with R's own predictions: make.R DATA.csv OUT_DIR HOOKS_DIR

suppressPackageStartupMessages(library(caret))

arguments <- commandArgs(trailingOnly = TRUE)
data <- read.csv(arguments[[1]])
out <- arguments[[2]]
hooks <- arguments[[3]]
set.seed(1)

write_native <- function(predictions, folder) {
  text <- c("Predictions", sprintf("%.17g", unname(predictions)))
  writeLines(text, file.path(folder, "native.csv"))
}

folder <- file.path(out, "caret-rds")
dir.create(folder, recursive = TRUE)
forest <- train(target ~ ., data, method = "rf", ntree = 50, tuneGrid = data.frame(mtry = 3),
                trControl = trainControl(method = "none"))
saveRDS(forest, file.path(folder, "model.rds"))
write_native(predict(forest, data), folder)

folder <- file.path(out, "r-hooks")
dir.create(folder)
file.copy(list.files(hooks, full.names = TRUE), folder)
linear <- lm(target ~ ., data)
weights <- data.frame(name = names(coef(linear)), weight = sprintf("%.17g", coef(linear)))
write.csv(weights, file.path(folder, "weights.csv"), row.names = FALSE, quote = FALSE)
write_native(predict(linear, data), folder)
