"""The dashboard of the workers: presence, time of their steps, and resources of every process."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.grafana.panels import Panel, Query, dashboard, figure, floor, lines

NO_GPU = 'or label_replace(vector(0), "gpu", "none", "", "")'


def build() -> Dashboard:
    """Return the dashboard: from the workers to their resources."""
    return dashboard(
        "verdict-workers",
        "Verdict: workers",
        "Workers, their speed, and their resources.",
        {"Workers": _present(), "Batches and steps": _steps(), "Resources": _resources(), "GPU": _gpu()},
    )


def _present() -> list[Panel]:
    return [
        floor(
            "Workers", "Workers with a recent heartbeat in PostgreSQL, by model.",
            Query("max by (model) (verdict_workers_live)", "{{model}}"), "none", least=1,
        ),
        floor(
            "Ready", "Share of workers whose model is loaded, warmed up and checked.",
            Query('avg(verdict_worker_ready{job="worker"})', "ready"), "percentunit", least=1,
        ),
        figure(
            "Capacity", "Estimated tokens per second of the live workers of a model.",
            Query("max by (model) (verdict_capacity_tokens_per_second)", "{{model}} tokens/s"), "none",
        ),
        figure(
            "Models", "Workers by model, version, precision and operating point.",
            Query(
                "count by (model, version, precision, operating_point) (verdict_model_info)",
                "{{model}} {{version}} {{precision}} {{operating_point}}",
            ), "none",
        ),
    ]  # fmt: skip


def _steps() -> list[Panel]:
    return [
        lines("Reviews by stage", "Classified per second, by the stage that answered.", "ops", Query(
            "sum by (stage) (rate(verdict_stage_reviews_total[$__rate_interval]))", "{{stage}}",
        )),
        lines("Reviews by worker", "Classified per second.", "ops", Query(
            "sum by (instance) (rate(verdict_stage_reviews_total[$__rate_interval]))", "{{instance}}",
        )),
        lines("Share of time in each step", "Steps overlap and may exceed 100 % together.", "percentunit", Query(
            "avg by (step) (rate(verdict_step_seconds_sum[$__rate_interval]))", "{{step}}",
        )),
        lines("Time of a step, p95", "Claim, tokenise, predict, similar, store.", "s", Query(
            "histogram_quantile(0.95, sum by (step, le) (rate(verdict_step_seconds_bucket[$__rate_interval]))) >= 0",
            "{{step}}",
        )),
        lines(
            "Reviews of a forward pass", "Mean and p95.", "none",
            Query(
                "sum(rate(verdict_batch_reviews_sum[$__rate_interval]))"
                " / (sum(rate(verdict_batch_reviews_count[$__rate_interval])) > 0)", "mean",
            ),
            Query(
                "histogram_quantile(0.95, sum by (le) (rate(verdict_batch_reviews_bucket[$__rate_interval])))", "p95"
            ),
        ),
        lines("Tokens without padding", "Mean share of a forward pass.", "percentunit", Query(
            "sum(rate(verdict_batch_fill_ratio_sum[$__rate_interval]))"
            " / (sum(rate(verdict_batch_fill_ratio_count[$__rate_interval])) > 0)", "fill",
        )),
        lines("Reviews that broke the model alone", "Per second; three times make a dead letter.", "ops", Query(
            "sum by (instance) (rate(verdict_failed_attempts_total[$__rate_interval]))", "{{instance}}",
        )),
    ]  # fmt: skip


def _resources() -> list[Panel]:
    return [
        lines("CPU of the processes", "Cores in use.", "none", Query(
            'rate(process_cpu_seconds_total{job=~"api|worker|maintenance"}[$__rate_interval])', "{{job}} {{instance}}",
        )),
        lines("Memory of the processes", "Resident.", "bytes", Query(
            'process_resident_memory_bytes{job=~"api|worker|maintenance"}', "{{job}} {{instance}}",
        )),
        lines("Open files", "Including sockets.", "none", Query(
            'process_open_fds{job=~"api|worker|maintenance"}', "{{job}} {{instance}}",
        )),
        lines(
            "CPU of the containers", "Share of the limit of each; without a limit, of the machine.", "percentunit",
            Query("verdict:cpu:share5m", "{{job}} {{instance}}"), limit=1,
        ),
        lines(
            "Memory of the containers", "Share of the limit of each; without a limit, of the machine.", "percentunit",
            Query("verdict:memory:share", "{{job}} {{instance}}"), limit=0.9,
        ),
    ]  # fmt: skip


def _gpu() -> list[Panel]:
    return [
        lines("GPU busy", "Share of the time that kernels ran; 0 without a GPU.", "percentunit", Query(
            f"max by (gpu) (verdict_gpu_utilisation_ratio) {NO_GPU}", "GPU {{gpu}}",
        )),
        lines("GPU memory", "Share in use; 0 without a GPU.", "percentunit", Query(
            f"max by (gpu) (verdict_gpu_memory_bytes / verdict_gpu_memory_limit_bytes) {NO_GPU}", "GPU {{gpu}}",
        )),
    ]  # fmt: skip
