test_that("text is read as read.csv reads it, with names as they are", {
  expect_identical(
    read_csv_text("x y(1)/é,b\n1,NA\n,\n"),
    structure(list(`x y(1)/é` = c(1L, NA), b = c(NA, NA)), class = "data.frame", row.names = 1:2)
  )
})

test_that("blank lines are missing rows in a file of one column", {
  expect_identical(read_csv_text("a\n1\n\n2\n")$a, c(1L, NA, 2L))
})

test_that("what R would fill, shift or swallow is an error", {
  expect_error(read_csv_text("a,b\n1,2\n3\n"), "row 2 .* has 1 fields: expected 2",
    class = "polyhost_invalid_input"
  )
  expect_error(read_csv_text("a,b\n1,2,3\n"), "row 1 .* has 3", class = "polyhost_invalid_input")
  expect_error(read_csv_text("a,b\n1,\"2\n3,4\n"), class = "polyhost_invalid_input")
  expect_error(read_csv_text(""), class = "polyhost_invalid_input")
})

test_that("header names are trimmed unless quoted", {
  expect_identical(header_names("a, b ,\" c \",,NA,\"d,e\""), c("a", "b", " c ", "", "NA", "d,e"))
})
