/** The one class of DRUM's that jars of model authors extend. */
package com.datarobot.drum;
