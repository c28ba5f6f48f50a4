test_that("every kind of column becomes a plain vector", {
  frame <- data.frame(
    d = c(1.5, NA), i = c(1L, NA), l = c(TRUE, NA), t = c("é", NA), f = factor(c("b", "a")),
    day = as.Date(c("2020-01-02", NA))
  )
  expect_identical(
    columns_out(frame),
    list(
      c("d", "i", "l", "t", "f", "day"),
      list(
        d = c(1.5, NA), i = c(1L, NA), l = c(TRUE, NA), t = list(c(1L, NA), "é"),
        f = list(c(2L, 1L), c("a", "b")), day = list(c(1L, NA), "2020-01-02")
      ),
      NULL
    )
  )
})

test_that("row names that somebody gave go along", {
  expect_identical(columns_out(mtcars[1:2, 1, drop = FALSE])[[3]], c("Mazda RX4", "Mazda RX4 Wag"))
})

test_that("matrix columns are spread", {
  frame <- data.frame(a = 1:2)
  frame$m <- matrix(c(1, 2, 3, 4), 2, dimnames = list(NULL, c("x", "y")))
  frame$single <- matrix(c(5, 6), 2)
  expect_identical(columns_out(frame)[[1]], c("a", "m.x", "m.y", "single"))
})

test_that("what is no frame is an error that says what it is", {
  expect_error(columns_out(NULL), "score must return a data.frame, but returned NULL")
  expect_error(columns_out(1:3, from = "post_process"), "post_process .* returned integer")
  nested <- data.frame(a = 1:2)
  nested$b <- list(1:2, 3)
  expect_error(columns_out(nested), "list column", class = "polyhost_invalid_output")
})

test_that("names that R made syntactic become labels again", {
  expect_identical(match_labels(c("no", "yes"), c("yes", "no")), c("no", "yes"))
  expect_identical(
    match_labels(c("no.x", "yes.x", "note"), c("yes x", "no x")),
    c("no x", "yes x", "note")
  )
  expect_identical(match_labels(c("X7.1", "X8"), c("8.0", "7.1")), c("7.1", "8.0"))
  expect_identical(match_labels(c("maybe", "perhaps"), c("yes", "no")), c("maybe", "perhaps"))
  expect_error(match_labels(c("a.b", "c"), c("a b", "a-b")), "ambiguous")
})

test_that("text columns are filled from codes, typed as read.csv types them", {
  frame <- structure(list(1, NULL, NULL)[c(1, 1, 1)],
    names = c("a", "b", "c"), class = "data.frame", row.names = c(NA, -3L)
  )
  filled <- fill_text(
    frame, 2:3, list(c(1L, NA, 2L), c(1L, 2L, 1L)),
    list(list("x\x1fNA\x1f."), c("0x1A", "+2")), c(TRUE, TRUE)
  )
  expect_identical(filled$b, c("x", NA, NA))
  expect_identical(filled$c, c(26, 2, 26))
})

test_that("a sparse matrix leaves transform as its coordinates, and score not at all", {
  skip_if_not_installed("Matrix")
  matrix <- Matrix::sparseMatrix(c(1, 3), c(2, 1), x = c(2.5, 4), dims = c(3, 2))
  expect_equal(
    columns_out(matrix, from = "transform"),
    list(c("V1", "V2"), list(c(2L, 0L), c(0L, 1L), c(4, 2.5)), NULL, 3L)
  )
  colnames(matrix) <- c("a", "b c")
  expect_equal(columns_out(matrix > 3, from = "transform")[[1]], c("a", "b c"))
  expect_error(columns_out(matrix), class = "polyhost_error")
})
