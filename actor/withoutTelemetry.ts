/**
 * For whoever loads onnxruntime: from 1.29 on its builds report models, timings and a stored id of this machine to Microsoft
 * unless this is set before the first session (docs/Privacy.md of onnxruntime). Native code reads the process's environment,
 * of which a worker thread has only a copy: so the main thread of threads that load it imports this, too.
 */
process.env.ORT_DISABLE_TELEMETRY ??= "1";
