{{- define "polyhost.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "polyhost.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "polyhost.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "polyhost.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "polyhost.job" -}}
{{- printf "%s-batch-%d" (include "polyhost.fullname" . | trunc 46 | trimSuffix "-") (int .Release.Revision) }}
{{- end }}

{{- define "polyhost.selector" -}}
app.kubernetes.io/name: {{ include "polyhost.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "polyhost.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "polyhost.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "polyhost.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "polyhost.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "polyhost.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}

{{/* What pods of the server and of the batch share. */}}
{{- define "polyhost.pod" -}}
serviceAccountName: {{ include "polyhost.serviceAccount" . }}
automountServiceAccountToken: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The environment of their containers: caches and temporary files lie in the scratch volume. */}}
{{- define "polyhost.env" -}}
- name: HOME
  value: /scratch
- name: TMPDIR
  value: /scratch/tmp
- name: XDG_CACHE_HOME
  value: /scratch/cache
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "polyhost.mounts" -}}
- name: scratch
  mountPath: /scratch
- name: tmp
  mountPath: /scratch/tmp
- name: system-tmp
  mountPath: /tmp
{{- with .Values.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "polyhost.volumes" -}}
- name: scratch
  emptyDir:
    sizeLimit: {{ .Values.scratchSize }}
- name: tmp
  emptyDir:
    sizeLimit: {{ .Values.scratchSize }}
- name: system-tmp
  emptyDir:
    sizeLimit: {{ .Values.scratchSize }}
{{- with .Values.volumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
