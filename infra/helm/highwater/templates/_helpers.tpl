{{- define "highwater.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "highwater.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "highwater.selector" . }}
{{- end }}

{{- define "highwater.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "highwater.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "highwater.fullname" .) }}
{{- end }}

{{- define "highwater.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "highwater.image" -}}
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- /* What every container is told: the file, what comes from secrets, and where progress is pushed. */}}
{{- define "highwater.env" -}}
- {name: HIGHWATER_CONFIG, value: /etc/highwater/highwater.toml}
{{- with .Values.operator.config.eventGateway }}
- {name: HIGHWATER_EVENT_GATEWAY_ENABLED, value: {{ .enabled | quote }}}
{{- if .enabled }}
- {name: HIGHWATER_EVENT_GATEWAY_NAME, value: {{ .service.name | quote }}}
- {name: HIGHWATER_EVENT_GATEWAY_NAMESPACE, value: {{ .service.namespace | default $.Release.Namespace | quote }}}
- {name: HIGHWATER_EVENT_GATEWAY_PORT, value: {{ .service.port | quote }}}
{{- if $.Values.listen.tls.secret }}
- {name: HIGHWATER_EVENT_GATEWAY_URL, value: {{ printf "https://%s.%s.svc:%v" .service.name (.service.namespace | default $.Release.Namespace) .service.port | quote }}}
{{- with $.Values.listen.tls.authority }}
- {name: HIGHWATER_EVENT_GATEWAY_CA_FILE, value: {{ printf "/etc/highwater/tls/%s" . | quote }}}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.listen.tls.secret }}
- {name: HIGHWATER_LISTEN_TLS_CERTIFICATE_FILE, value: /etc/highwater/tls/tls.crt}
- {name: HIGHWATER_LISTEN_TLS_KEY_FILE, value: /etc/highwater/tls/tls.key}
{{- end }}
- {name: HIGHWATER_LISTEN_ALLOWED_HOSTS, value: {{ include "highwater.hosts" . | quote }}}
{{- if not (hasKey .Values.secrets "HIGHWATER_LISTEN_TOKEN") }}
- name: HIGHWATER_LISTEN_TOKEN
  valueFrom: {secretKeyRef: {name: {{ include "highwater.fullname" . }}-token, key: token}}
{{- end }}
{{- range $name, $value := .Values.env }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- range $name, $from := .Values.secrets }}
- name: {{ $name }}
  valueFrom: {secretKeyRef: {name: {{ $from.name }}, key: {{ $from.key }}}}
{{- end }}
{{- end }}

{{- define "highwater.scheme" -}}
{{ ternary "HTTPS" "HTTP" (not (empty .Values.listen.tls.secret)) }}
{{- end }}

{{- /* The names by which the listeners are asked: each service's, as far as they are used within a cluster, and the values'. */}}
{{- define "highwater.hosts" -}}
{{- $names := list }}
{{- range list "metrics" "query" "console" }}{{ $names = append $names (printf "%s-%s" (include "highwater.fullname" $) .) }}{{ end }}
{{- $names = append $names .Values.api.eventGateway.service.name }}
{{- $hosts := .Values.listen.allowedHosts }}
{{- range $name := $names }}
{{- range list "" (printf ".%s" $.Release.Namespace) (printf ".%s.svc" $.Release.Namespace) (printf ".%s.svc.cluster.local" $.Release.Namespace) }}
{{- $hosts = append $hosts (printf "%s%s" $name .) }}
{{- end }}
{{- end }}
{{- join "," $hosts }}
{{- end }}

{{- define "highwater.mounts" -}}
- {name: config, mountPath: /etc/highwater/highwater.toml, subPath: highwater.toml, readOnly: true}
{{- if .Values.listen.tls.secret }}
- {name: tls, mountPath: /etc/highwater/tls, readOnly: true}
{{- end }}
{{- range .Values.secretMounts }}
- {name: {{ printf "secret-%s" . }}, mountPath: {{ printf "/etc/highwater/secrets/%s" . }}, readOnly: true}
{{- end }}
{{- end }}

{{- define "highwater.volumes" -}}
- {name: config, configMap: {name: {{ include "highwater.fullname" . }}}}
{{- with .Values.listen.tls.secret }}
- {name: tls, secret: {secretName: {{ . }}}}
{{- end }}
{{- range .Values.secretMounts }}
- {name: {{ printf "secret-%s" . }}, secret: {secretName: {{ . }}}}
{{- end }}
{{- end }}

{{- /* A service: [root, suffix or "", name of the port, values of the service, port of the container]. */}}
{{- define "highwater.service" -}}
{{- $root := index . 0 }}{{ $service := index . 3 }}
apiVersion: v1
kind: Service
metadata:
  name: {{ $service.name | default (printf "%s-%s" (include "highwater.fullname" $root) (index . 1)) }}
  labels:
    {{- include "highwater.labels" $root | nindent 4 }}
    {{- with $service.labels }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- with $service.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ $service.type }}
  selector:
    {{- include "highwater.selector" $root | nindent 4 }}
    app.kubernetes.io/component: serve
  ports:
    - {name: {{ index . 2 }}, port: {{ $service.port }}, targetPort: {{ index . 2 }}, protocol: TCP}
{{- end }}
