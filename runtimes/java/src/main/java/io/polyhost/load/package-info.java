/** Brings a model's own classes in: compiled from source or from jars, in a loader of their own. */
package io.polyhost.load;
