"""The classifier against other models, and the settings of a worker: `verdict benchmark`, `verdict tune`."""
