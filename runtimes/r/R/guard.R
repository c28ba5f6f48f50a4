#' Call a function and return what happened as plain data
#'
#' Nothing that the function signals leaves: an error comes back as a character
#' vector, warnings are printed to stderr at once (R would keep them and print
#' them with the next error).
#'
#' @param name the hook that runs, or `"predict"`: the traceback starts there.
#' @param fun,args what to call, with a list of values.
#' @return `list(value, failure)`; `failure` is NULL, or `c(kind, type, message,
#'   traceback, location)` where `kind` is empty for guest errors and
#'   `"interrupt"` for an interrupted call.
#' @export
guard <- function(name, fun, args = list()) {
  calls <- NULL
  warned <- 0L
  tryCatch(
    withCallingHandlers(
      list(do.call(fun, args, quote = TRUE), NULL),
      error = function(condition) calls <<- sys.calls(),
      interrupt = function(condition) print_calls(name, sys.calls()),
      warning = function(condition) {
        warned <<- warned + 1L
        if (warned <= 20L) print_warning(name, condition)
        tryInvokeRestart("muffleWarning")
      }
    ),
    error = function(condition) list(NULL, failure(name, condition, calls)),
    interrupt = function(condition) list(NULL, c("interrupt", "interrupt", "", "", ""))
  )
}

print_warning <- function(name, condition) {
  cat("Warning in ", name, ": ", conditionMessage(condition), "\n", sep = "", file = stderr())
}

#' Where an interrupted call was: the last chance to report it, should it not end
#' @noRd
print_calls <- function(name, calls) {
  inner <- vapply(guest_calls(name, calls), call_text, "")
  cat("R was interrupted in ", name, ":\n", paste0("    ", inner, "\n"), sep = "", file = stderr())
}

failure <- function(name, condition, calls) {
  calls <- guest_calls(name, calls)
  kind <- if (inherits(condition, "polyhost_error")) condition$kind else ""
  trace <- paste0(seq_along(calls), ": ", vapply(calls, call_text, ""), collapse = "\n")
  c(
    kind,
    class(condition)[[1L]],
    enc2utf8(paste(conditionMessage(condition), collapse = "\n")),
    if (length(calls)) enc2utf8(trace) else "",
    location(calls)
  )
}

#' The calls from the hook inwards, without those that handle the error
#'
#' An endless recursion leaves thousands: the outer 10 and the inner 40 show it.
#' @noRd
guest_calls <- function(name, calls) {
  heads <- vapply(calls, call_head, "")
  first <- match(name, heads)
  if (is.na(first)) {
    return(list())
  }
  last <- length(calls)
  while (last > first && heads[[last]] %in% c("", "h", ".handleSimpleError", "signalCondition")) {
    last <- last - 1L
  }
  calls <- as.list(calls)[first:last]
  if (length(calls) > 50L) calls <- c(utils::head(calls, 10L), utils::tail(calls, 40L))
  calls
}

call_head <- function(call) {
  head <- call[[1L]]
  if (is.name(head)) as.character(head) else if (is.call(head)) call_text(head) else ""
}

call_text <- function(call) {
  substr(deparse(call, width.cutoff = 120L, nlines = 1L)[[1L]], 1L, 120L)
}

#' `file:line` of the innermost call whose source is known, or `""`
#'
#' @param file only calls written in this file, or NULL for any.
#' @noRd
location <- function(calls, file = NULL) {
  for (call in rev(as.list(calls))) {
    source <- attr(call, "srcref")
    found <- attr(source, "srcfile")$filename
    if (length(found) && (is.null(file) || identical(found, file))) {
      return(enc2utf8(paste0(found, ":", source[[1L]])))
    }
  }
  ""
}
